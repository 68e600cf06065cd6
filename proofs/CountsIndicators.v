(** Main theorems [params_lean], [params_lean_K] (l_inf), [params_euclidean], [params_euclidean_K] (l_2, gate), [params_shared],
    [params_shared_K] (l_2, lean): the closed forms that `cgro count` prints, for all N, D, m and every f_clean, for centres that are
    generic: no coordinate makes an entry 0. The variant gate of l_inf is in CountsTree. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Squaring Multiplication Counts EuclideanDistance Distance Indicators Memorize MemorizeClasses MemorizeEuclidean
  MemorizeIndicators MemorizeShared Composition CountsClassifiers Copies.
Import ListNotations.
Open Scope R_scope.

(** * single-output networks side by side *)
Section Beside.
Variables (F : vec -> net) (D k h w : nat).
Definition beside (S : data) : net := fold_right (fun cy f => parallel (F (fst cy)) f) (Net (repeat [] k) []) S.
(** N networks of one size, side by side. *)
Lemma count_beside S : k <> 0%nat ->
  (forall c y, In (c, y) S -> wf D (F c) /\ depth (F c) = k /\ hid (F c) = h /\ exists r, readout (F c) = [(r, 0)] /\ count r = w) ->
  hid (beside S) = (length S * h)%nat /\ blocks (readout (beside S)) (repeat w (length S)) /\
  map snd (readout (beside S)) = repeat 0 (length S) /\ depth (beside S) = k.
Proof.
  intros K H. induction S as [|[c y] S IH]; cbn [beside fold_right length repeat fst] in *.
  - repeat split; auto; [apply hid_blank | intros r; destruct r; reflexivity | apply repeat_length].
  - destruct IH as [A [Bl [Bi Dp]]]; [intros; eapply H; right; eauto|]. destruct (H c y (or_introl eq_refl)) as [W [Dc [Hc [r [Rr Cr]]]]].
    fold (beside S) in *. assert (E : depth (F c) = depth (beside S)) by congruence. assert (N : depth (F c) <> 0%nat) by congruence.
    refine (conj _ (conj _ (conj _ _))).
    + rewrite hid_parallel, A, Hc by auto. lia.
    + change (w :: repeat w (length S)) with ([w] ++ repeat w (length S)). apply (blocks_parallel _ _ D); auto. rewrite Rr, <- Cr. apply blocks_one.
    + destruct (readout_parallel _ _ D W E N) as [n [_ ->]]. rewrite map_snd_diag, Bi, Rr. reflexivity.
    + rewrite depth_parallel; auto.
Qed.
End Beside.

(** * l_inf, lean: N (6 D + 2) *)
Lemma count_lean_indicators inner outer D (S : data) : inner < outer -> (forall c y, In (c, y) S -> length c = D /\ generic inner c) ->
  hid (indicators inner outer D S) = (length S * (6 * D + 1))%nat /\ blocks (readout (indicators inner outer D S)) (repeat 1%nat (length S)) /\
  map snd (readout (indicators inner outer D S)) = repeat 0 (length S) /\ depth (indicators inner outer D S) = 2%nat.
Proof.
  intros Hio H. apply (count_beside (lean_indicator inner outer D) D 2 (6 * D + 1) 1); auto. intros c y I. destruct (H c y I) as [L G].
  refine (conj _ (conj _ (conj _ _))); [now apply wf_lean_indicator | reflexivity | |].
  - pose proof (params_lean_indicator inner outer D Hio c L G) as P. rewrite params_split in P.
    replace (out (lean_indicator inner outer D c)) with 1%nat in P by (unfold out; cbn [lean_indicator readout]; counted). lia.
  - exists [1]. split; [reflexivity | counted].
Qed.
(** * l_2, gate: N (7 D m + 4 D + 6) *)
Definition nonzero (c : vec) := Forall (fun v => v <> 0) c.
(** The first layer of squaring, and the others. *)
Lemma hidden_squaring m : (1 <= m)%nat -> exists ls, hidden (squaring m) = [([1], 0); ([1], - (1 / 2))] :: ls /\
  (params_of ls + out (squaring m) = 7 * m - 5)%nat /\ exists r, readout (squaring m) = [(r, 0)].
Proof.
  intros M. pose proof (params_squaring m M) as P. rewrite params_split in P. destruct m as [|m]; [lia|].
  exists (map tooth_layer (seq 2 m)). split; [reflexivity|]. split.
  - unfold hid in P. cbn [squaring hidden] in P. unfold teeth in P. cbn [seq map tooth_layer] in P. rewrite params_of_cons in P.
    replace (params_layer [([1], 0); ([1], - (1 / 2))]) with 3%nat in P by counted. lia.
  - destruct m; eexists; reflexivity.
Qed.
(** One squared difference. *)
Lemma count_coordinate m D j c : (1 <= m)%nat -> (j < D)%nat -> c <> 0 ->
  (hid (coordinate m D j c) + out (squaring m) = 7 * m + 4)%nat /\ readout (coordinate m D j c) = readout (squaring m).
Proof.
  intros M J C. destruct (hidden_squaring m M) as [ls [E [P _]]]. unfold coordinate.
  destruct (hid_compose (squaring m) (compose absolute (Net [] [(idrow D j, - c)])) _ _ E) as [H R]. rewrite H, R. split; auto.
  destruct (hid_compose absolute (Net [] [(idrow D j, - c)]) _ [] eq_refl) as [H1 R1]. rewrite H1, R1.
  rewrite (params_merge _ (readout absolute) [2%nat]).
  2: { cbn [absolute readout]. replace 2%nat with (count [1; 1]) by counted. apply blocks_one. }
  cbn [readout]. rewrite (params_merge _ [(idrow D j, - c)] [1%nat]).
  2: { pose proof (blocks_one (idrow D j) (- c)) as Bo. now rewrite count_idrow in Bo. }
  cbn [absolute readout map snd]. rewrite !score_cons, !score_nil. cbn [wcount dot].
  rewrite (nz_1 1), (nz_1 (-1)), (nz_eq (1 * 0 + 0 + 0) 0), (nz_eq (1 * 0 + 0 + - (1 / 2)) (- (1 / 2))), (nz_eq (1 * - c + 0 + 0) (- c)),
    (nz_eq (-1 * - c + 0 + 0) c), nz_0, (nz_1 (- (1 / 2))), (nz_1 c), (nz_1 (- c)) by lra.
  unfold hid at 1. cbn [hidden params_of map list_sum fold_right]. lia.
Qed.
(** All squared differences of a centre. *)
Lemma count_coordinates m D : (1 <= m)%nat -> forall c j, (j + length c <= D)%nat -> nonzero c ->
  (hid (coordinates m D j c) + length c * out (squaring m) = length c * (7 * m + 4))%nat /\
  blocks (readout (coordinates m D j c)) (repeat (out (squaring m)) (length c)) /\ map snd (readout (coordinates m D j c)) = repeat 0 (length c).
Proof.
  intros M. destruct (hidden_squaring m M) as [_ [_ [_ [r Rr]]]]. assert (Cr : out (squaring m) = count r).
  { unfold out. rewrite Rr. unfold params_layer. cbn [map list_sum fold_right fst snd]. rewrite nz_0. lia. }
  induction c as [|v c IH]; intros j H G; cbn [coordinates length repeat] in *.
  - repeat split; auto; [rewrite hid_blank; lia | intros s; destruct s; reflexivity].
  - inversion G as [|? ? Gv Gc]; subst. destruct (IH (Datatypes.S j) ltac:(lia) Gc) as [A [Bl Bi]].
    destruct (count_coordinate m D j v M ltac:(lia) Gv) as [P R]. destruct (wf_coordinate m D M j v ltac:(lia)) as [W _].
    assert (E : depth (coordinate m D j v) = depth (coordinates m D (Datatypes.S j) c)) by now rewrite depth_coordinate, depth_coordinates.
    assert (N : depth (coordinate m D j v) <> 0%nat) by (rewrite depth_coordinate; lia).
    refine (conj _ (conj _ _)).
    + rewrite hid_parallel by auto. lia.
    + change (?x :: ?l) with ([x] ++ l). apply (blocks_parallel _ _ D); auto. rewrite R, Rr, Cr. apply blocks_one.
    + destruct (readout_parallel _ _ D W E N) as [n [_ ->]]. rewrite map_snd_diag, Bi, R, Rr. reflexivity.
Qed.
(** Two thresholds against one row of k entries. *)
Lemma score_soft a b k : a <> 0 -> b <> 0 -> score [([-1], b); ([-1], a)] [k] [0] = (2 * k + 2)%nat.
Proof.
  intros A B. rewrite !score_cons, score_nil. cbn [wcount dot]. rewrite (nz_1 (-1)), (nz_eq (_ + b) b), (nz_eq (_ + a) a), (nz_1 a), (nz_1 b) by lra. lia.
Qed.
(** A soft indicator's readout has two entries. *)
Lemma readout_soft a b : a < b -> exists r, readout (soft_indicator a b) = [(r, 0)] /\ count r = 2%nat.
Proof.
  intros H. eexists. split; [reflexivity|]. assert (/ (b - a) <> 0) by (apply Rinv_neq_0_compat; lra).
  rewrite !count_cons, !nz_1 by lra. reflexivity.
Qed.
(** One indicator. *)
Lemma count_indicator2 m D a b c : (1 <= m)%nat -> a < b -> a <> 0 -> b <> 0 -> length c = D -> nonzero c ->
  hid (indicator2 m D a b c) = (D * (7 * m + 4) + 4)%nat.
Proof.
  intros M Hab A B L G. destruct (count_coordinates m D M c 0 ltac:(lia) G) as [P [Bl Bi]]. rewrite L in *. unfold indicator2.
  destruct (hid_compose (soft_indicator a b) (compose (carry 1 1) (distance2 m D c)) _ [] eq_refl) as [H R]. rewrite H.
  destruct (hid_compose (carry 1 1) (distance2 m D c) _ [] eq_refl) as [H1 R1]. rewrite H1, R1. cbn [carry readout].
  rewrite (params_merge _ _ _ (blocks_ident 1)). change (map snd (ident 1)) with [0]. change (repeat 1%nat 1) with [1%nat]. rewrite (score_soft a b 1) by auto.
  unfold distance2. destruct (hid_compose0 (linear [repeat 1 D]) (coordinates m D 0 c) eq_refl) as [H2 R2]. rewrite H2, R2.
  rewrite params_merge_ident by reflexivity. rewrite (params_merge _ _ _ Bl), Bi. cbn [linear readout map]. rewrite score_cons, score_nil, dot_zero_list.
  rewrite wcount_repeat, list_sum_repeat by (rewrite ?repeat_length; auto; lra). rewrite (nz_eq (0 + 0) 0), nz_0 by lra. cbn [params_of map list_sum fold_right]. lia.
Qed.
(** N indicators. *)
Lemma count_indicators2 m D a b (S : data) : (1 <= m)%nat -> a < b -> a <> 0 -> b <> 0 -> (forall c y, In (c, y) S -> length c = D /\ nonzero c) ->
  hid (indicators2 m D a b S) = (length S * (D * (7 * m + 4) + 4))%nat /\ blocks (readout (indicators2 m D a b S)) (repeat 2%nat (length S)) /\
  map snd (readout (indicators2 m D a b S)) = repeat 0 (length S) /\ depth (indicators2 m D a b S) = (m + 3)%nat.
Proof.
  intros M Hab A B H. apply (count_beside (indicator2 m D a b) D (m + 3) (D * (7 * m + 4) + 4) 2); [lia|]. intros c y I. destruct (H c y I) as [L G].
  refine (conj _ (conj _ (conj _ _))); [now apply wf_indicator2 | now apply depth_indicator2 | now apply count_indicator2|].
  exact (readout_soft a b Hab).
Qed.
(** * l_2, lean: D (8 m - 1) + N (D + 8) *)
Lemma times_repeat {A} (x : A) n : times n [x] = repeat x n.
Proof. apply times_one. Qed.
(** The shared squares: D (8 m - 1). *)
Lemma count_shared_base m D : (1 <= m)%nat ->
  hid (shared_base m D) = (D * (8 * m - 1))%nat /\ readout (shared_base m D) = ident (1 + D).
Proof.
  intros M. destruct (hidden_squaring m M) as [_ [_ [_ [r Rr]]]]. assert (Cr : out (squaring m) = count r).
  { unfold out. rewrite Rr. unfold params_layer. cbn [map list_sum fold_right fst snd]. rewrite nz_0. lia. }
  pose proof (params_squaring m M) as P. rewrite params_split in P. pose proof (wf_squaring m M) as W.
  unfold shared_base. destruct (hid_compose (carry (1 + D) 1) (parallel (shared_squares m D) (carry D m)) _ [] eq_refl) as [H R]. rewrite H, R.
  split; [|reflexivity]. destruct (wf_shared_squares m D M) as [Ws Ls].
  assert (E : depth (shared_squares m D) = depth (carry D m)) by now rewrite depth_shared_squares, depth_carry.
  rewrite hid_parallel by auto.
  destruct (hid_compose0 (linear [repeat 1 D]) (copies D 1 (squaring m)) eq_refl) as [H2 R2]. fold (shared_squares m D) in H2, R2.
  assert (Bc : blocks (readout (copies D 1 (squaring m))) (repeat (out (squaring m)) D)).
  { rewrite <- times_repeat. apply blocks_copies; auto. rewrite Rr, Cr. apply blocks_one. }
  assert (Zc : map snd (readout (copies D 1 (squaring m))) = repeat 0 D) by (rewrite biases_copies, Rr; apply times_repeat).
  rewrite H2, hid_copies. unfold hid at 2. cbn [carry hidden]. rewrite params_repeat_ident.
  assert (N : depth (shared_squares m D) <> 0%nat) by (rewrite depth_shared_squares; lia).
  destruct (readout_parallel _ _ D Ws E N) as [n [F Rp]]. rewrite Rp, params_merge_ident.
  2: { unfold diag. rewrite app_length, map_length, Ls. cbn [carry readout]. now rewrite ident_length. }
  rewrite params_diag. cbn [carry readout]. rewrite params_ident, R2, (params_merge _ _ _ Bc), Zc. cbn [linear readout map].
  rewrite score_cons, score_nil, dot_zero_list, wcount_repeat, list_sum_repeat by (rewrite ?repeat_length; auto; lra).
  rewrite (nz_eq (0 + 0) 0), nz_0 by lra. cbn [params_of map list_sum fold_right].
  destruct m as [|k]; [lia|]. replace (8 * Datatypes.S k - 1)%nat with (8 * k + 7)%nat by lia. replace (7 * Datatypes.S k - 2)%nat with (7 * k + 5)%nat in P by lia.
  nia.
Qed.
(** N indicators over them. *)
Lemma count_shared_indicators m D a b norm (S : data) : (1 <= m)%nat -> a < b -> a <> 0 -> b <> 0 ->
  (forall c y, In (c, y) S -> length c = D /\ nonzero c /\ norm c <> 0) ->
  hid (shared_indicators m D a b norm S) = (D * (8 * m - 1) + length S * (D + 6))%nat /\
  blocks (readout (shared_indicators m D a b norm S)) (repeat 2%nat (length S)) /\
  map snd (readout (shared_indicators m D a b norm S)) = repeat 0 (length S) /\ depth (shared_indicators m D a b norm S) = (m + 3)%nat.
Proof.
  intros M Hab A B G. destruct (readout_soft a b Hab) as [r [Rr Cr]]. assert (W : wf 1 (soft_indicator a b)) by wfs.
  unfold shared_indicators. set (N := length S). set (g := compose (carry N 1) (shared_distances m D norm S)).
  destruct (count_shared_base m D M) as [Hb Rb].
  destruct (hid_compose0 (Net [] (shared_rows norm S)) (shared_base m D) eq_refl) as [H2 R2]. fold (shared_distances m D norm S) in H2, R2.
  destruct (hid_compose (carry N 1) (shared_distances m D norm S) _ [] eq_refl) as [H1 R1]. fold g in H1, R1. cbn [carry readout] in R1.
  destruct (first_copies N 1 (soft_indicator a b) _ [] eq_refl) as [ms [E Pm]].
  destruct (hid_compose (copies N 1 (soft_indicator a b)) g _ ms E) as [H R]. rewrite H, R. refine (conj _ (conj _ (conj _ _))).
  - rewrite R1, H1, H2, Hb, R2, Pm. rewrite (params_merge (diag_copies _ _ _) (ident N) _ (blocks_ident N)).
    assert (Zi : map snd (ident N) = repeat 0 N).
    { unfold ident. rewrite map_map. cbn [snd]. rewrite <- (seq_length N 0) at 2. generalize (seq 0 N). induction l; simpl; congruence. }
    rewrite Zi, <- !times_repeat, (score_copies 1) by (try reflexivity; wfs). rewrite score_soft by auto.
    rewrite params_merge_ident by (unfold merge; rewrite map_length; cbn [readout]; unfold shared_rows; apply map_length).
    rewrite Rb, (params_merge _ _ _ (blocks_ident (1 + D))). cbn [readout].
    assert (Sc : score (shared_rows norm S) (repeat 1%nat (1 + D)) (map snd (ident (1 + D))) = (N * (D + 2))%nat).
    { assert (Z : map snd (ident (1 + D)) = repeat 0 (1 + D)).
      { unfold ident. rewrite map_map. cbn [snd]. rewrite <- (seq_length (1 + D) 0) at 2. generalize (seq 0 (1 + D)). induction l; simpl; congruence. }
      rewrite Z. unfold N. clear -G. induction S as [|[c y] S IH]; auto. cbn [shared_rows map fst length]. rewrite score_cons. fold (shared_rows norm S).
      rewrite IH by (intros; eapply G; right; eauto). destruct (G c y (or_introl eq_refl)) as [L [Gc Gn]].
      rewrite dot_zero_list, (nz_eq (0 + norm c) (norm c)), (nz_1 (norm c)) by (auto; lra).
      assert (Wc : wcount (1 :: vscale (-2) c) (repeat 1%nat (1 + D)) = (1 + D)%nat).
      { cbn [repeat Nat.add wcount]. rewrite nz_1 by lra. rewrite <- L. clear -Gc. induction Gc; [reflexivity|].
        cbn [length repeat vscale map wcount] in *. rewrite nz_1 by lra. lia. }
      rewrite Wc. lia. }
    rewrite Sc. cbn [params_of map list_sum fold_right]. lia.
  - rewrite <- times_repeat. apply blocks_copies; auto. rewrite Rr, <- Cr. apply blocks_one.
  - rewrite biases_copies, Rr. apply times_repeat.
  - rewrite depth_compose, depth_copies. unfold g. rewrite depth_compose. unfold shared_distances. rewrite depth_compose. unfold shared_base.
    rewrite depth_compose, depth_parallel, depth_shared_squares by now rewrite depth_shared_squares, depth_carry. unfold depth; simpl. lia.
Qed.

(** * whole networks *)
Section Whole.
Variables (B : R) (D : nat) (clean : net) (S : data).
Hypotheses (HB : B <> 0) (W : wf D clean).
Let N := length S.
(** f_clean behind the gate, with its waiting layers, and the constant parts: of one output, of K outputs. L: layers of the capped sums. *)
Definition rest1 (L : nat) : nat := (hid clean + 2 * out clean + wait 1 (L - depth clean) + 2 * (depth clean - L) + 16)%nat.
Definition restK (K L : nat) : nat := (hid clean + 2 * out clean + wait K (L - depth clean) + K * (depth clean - L) + 2 * K * K + 7 * K)%nat.

Section Lean.
Variables (inner outer : R).
Hypotheses (Hio : inner < outer) (G : forall c y, In (c, y) S -> length c = D /\ generic inner c).
(** l_inf, lean, two labels. *)
Theorem params_lean : length (readout clean) = 1%nat -> (forall c y, In (c, y) S -> (y < 2)%nat) ->
  params (memorize inner outer B D clean S) = (N * (6 * D + 2) + rest1 4)%nat.
Proof.
  intros O Y. rewrite memorize_any. destruct (count_lean_indicators inner outer D S Hio G) as [H [Bl [Bi Dp]]].
  rewrite (params_memorize2 B D 1 (indicators inner outer D S) clean S) by auto. cbv zeta. rewrite H, Dp. unfold rest1, N. cbn [Nat.add]. lia.
Qed.
(** l_inf, lean, K classes. *)
Theorem params_lean_K K : (1 <= K)%nat -> length (readout clean) = K -> (forall c y, In (c, y) S -> (y < K)%nat) ->
  params (memorizeK B K (indicators inner outer D S) S clean) = (N * (6 * D + 2) + restK K 4)%nat.
Proof.
  intros K1 O Y. destruct (count_lean_indicators inner outer D S Hio G) as [H [Bl [Bi Dp]]].
  rewrite (params_memorizeK B D K 1 (indicators inner outer D S) clean S) by auto. cbv zeta. rewrite H, Dp. unfold restK, N. cbn [Nat.add]. lia.
Qed.
End Lean.

Section Squares.
Variables (m : nat) (a b : R).
Hypotheses (M : (1 <= m)%nat) (Hab : a < b) (A0 : a <> 0) (B0 : b <> 0).
(** l_2, gate, two labels. *)
Theorem params_euclidean : (forall c y, In (c, y) S -> length c = D /\ nonzero c) -> length (readout clean) = 1%nat -> (forall c y, In (c, y) S -> (y < 2)%nat) ->
  params (memorize2 B (indicators2 m D a b S) S clean) = (N * (7 * D * m + 4 * D + 6) + rest1 (m + 5))%nat.
Proof.
  intros G O Y. destruct (count_indicators2 m D a b S M Hab A0 B0 G) as [H [Bl [Bi Dp]]].
  rewrite (params_memorize2 B D 2 (indicators2 m D a b S) clean S) by auto. cbv zeta. rewrite H, Dp. unfold rest1, N.
  replace (m + 3 + 2)%nat with (m + 5)%nat by lia. lia.
Qed.
(** l_2, gate, K classes. *)
Theorem params_euclidean_K K : (forall c y, In (c, y) S -> length c = D /\ nonzero c) -> (1 <= K)%nat -> length (readout clean) = K ->
  (forall c y, In (c, y) S -> (y < K)%nat) ->
  params (memorizeK B K (indicators2 m D a b S) S clean) = (N * (7 * D * m + 4 * D + 6) + restK K (m + 5))%nat.
Proof.
  intros G K1 O Y. destruct (count_indicators2 m D a b S M Hab A0 B0 G) as [H [Bl [Bi Dp]]].
  rewrite (params_memorizeK B D K 2 (indicators2 m D a b S) clean S) by auto. cbv zeta. rewrite H, Dp. unfold restK, N.
  replace (m + 3 + 2)%nat with (m + 5)%nat by lia. lia.
Qed.
Variable norm : vec -> R.
Hypothesis G : forall c y, In (c, y) S -> length c = D /\ nonzero c /\ norm c <> 0.
(** l_2, lean, two labels. *)
Theorem params_shared : length (readout clean) = 1%nat -> (forall c y, In (c, y) S -> (y < 2)%nat) ->
  params (memorize2 B (shared_indicators m D a b norm S) S clean) = (N * (D + 8) + D * (8 * m - 1) + rest1 (m + 5))%nat.
Proof.
  intros O Y. destruct (count_shared_indicators m D a b norm S M Hab A0 B0 G) as [H [Bl [Bi Dp]]].
  rewrite (params_memorize2 B D 2 (shared_indicators m D a b norm S) clean S) by auto. cbv zeta. rewrite H, Dp. unfold rest1, N.
  replace (m + 3 + 2)%nat with (m + 5)%nat by lia. lia.
Qed.
(** l_2, lean, K classes. *)
Theorem params_shared_K K : (1 <= K)%nat -> length (readout clean) = K -> (forall c y, In (c, y) S -> (y < K)%nat) ->
  params (memorizeK B K (shared_indicators m D a b norm S) S clean) = (N * (D + 8) + D * (8 * m - 1) + restK K (m + 5))%nat.
Proof.
  intros K1 O Y. destruct (count_shared_indicators m D a b norm S M Hab A0 B0 G) as [H [Bl [Bi Dp]]].
  rewrite (params_memorizeK B D K 2 (shared_indicators m D a b norm S) clean S) by auto. cbv zeta. rewrite H, Dp. unfold restK, N.
  replace (m + 3 + 2)%nat with (m + 5)%nat by lia. lia.
Qed.
End Squares.
(** For an affine f_clean of one output (D weights, one bias) the constants are those that are printed: 2 D + 28 and 2 D + 2 m + 30. *)
Theorem rest_affine m : depth clean = 0%nat -> hid clean = 0%nat -> out clean = (D + 1)%nat ->
  rest1 4 = (2 * D + 28)%nat /\ rest1 (m + 5) = (2 * D + 2 * m + 30)%nat.
Proof. intros Dc Hc Oc. unfold rest1. rewrite Dc, Hc, Oc, !Nat.sub_0_r. destruct (m + 5)%nat eqn:E; [lia|]. cbn [wait]. split; lia. Qed.
End Whole.
