(** Main theorems [params_literal_linf], [params_literal_l2]: the closed forms of f_S in the papers' literal form (variant paper), for all N, D, K,
    m and every f_clean that is shallower than the indicators; [params_literal] is the count over any network of indicators, of any depth. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Squaring Multiplication Counts EuclideanDistance Distance Indicators Memorize MemorizeClasses MemorizeEuclidean MemorizeIndicators
  MemorizeGate MemorizeShared Composition CountsClassifiers Copies CountsIndicators CountsTree ThreeSquares MemorizeLiteral.
Import ListNotations.
Open Scope R_scope.

(** * rows of joins *)
(** Rows that agree up to zeros at their ends have the same supports. *)
Lemma blocks_ext l l' u : Forall2 (fun a b : vec * R => forall j, nth j (fst a) 0 = nth j (fst b) 0) l l' -> blocks l' u -> blocks l u.
Proof.
  intros F [Lu Bu]. split.
  - rewrite Lu. clear -F. induction F; simpl; congruence.
  - intros r. rewrite <- Bu. apply count_ext. intros j. rewrite !nth_vcomb. f_equal. clear -F. induction F; auto. cbn [map]. now rewrite H, IHF.
Qed.
(** One row further. *)
Lemma pick_S n i w : pick (S n) (S i) w = 0 :: 0 :: pick n i w.
Proof. unfold pick. replace (2 * S i)%nat with (S (S (2 * i))) by lia. reflexivity. Qed.
(** Joining rows have separate supports, of two entries. *)
Lemma blocks_join n : blocks (joinK n) (repeat 2%nat n).
Proof.
  induction n as [|n IH]; [apply blocks_nil|]. apply (blocks_ext _ (diag 2 join1 (joinK n))).
  - unfold joinK at 1. cbn [seq map]. unfold diag, join1. cbn [app]. constructor.
    + intros j. unfold pick. change (2 * 0)%nat with 0%nat. cbn [fst repeat app]. destruct j as [|[|j]]; auto. cbn [repeat app nth]. rewrite app_nil_r, nth_repeat. destruct j; reflexivity.
    + rewrite <- seq_shift, map_map. unfold joinK. rewrite map_map. clear. induction (seq 0 n); constructor; auto. intros j. cbn [fst repeat app]. now rewrite pick_S.
  - change (repeat 2%nat (S n)) with ([2%nat] ++ repeat 2%nat n). apply blocks_diag; auto; [unfold join1; wfs|].
    unfold join1. replace 2%nat with (count [1; -1]) by counted. apply blocks_one.
Qed.
(** And no biases. *)
Lemma biases_join n : map snd (joinK n) = repeat 0 n.
Proof. unfold joinK. rewrite map_map. cbn [snd]. rewrite <- (seq_length n 0) at 2. generalize (seq 0 n). induction l; simpl; congruence. Qed.
(** Nor has the identity. *)
Lemma biases_ident n : map snd (ident n) = repeat 0 n.
Proof. unfold ident. rewrite map_map. cbn [snd]. rewrite <- (seq_length n 0) at 2. generalize (seq 0 n). induction l; simpl; congruence. Qed.

(** * groups of rows *)
(** Maps on separate inputs merge separately. *)
Lemma vcomb_short r : forall l1 l2, (length r <= length l1)%nat -> vcomb r (l1 ++ l2) = vcomb r l1.
Proof. induction r as [|a r IH]; intros [|w l1] l2 H; simpl in *; try lia; auto. now rewrite IH by lia. Qed.
(** Maps on separate inputs, merged. *)
Lemma merge_diag n l1 l2 L1 L2 : fits n l1 -> length L1 = n ->
  params_layer (merge (diag n l1 l2) (L1 ++ L2)) = (params_layer (merge l1 L1) + params_layer (merge l2 L2))%nat.
Proof.
  intros F L. unfold diag. unfold merge at 1. rewrite map_app, params_layer_app. f_equal.
  - unfold merge, params_layer. rewrite !map_map. f_equal. apply map_ext_in. intros rb J. unfold fits in F. rewrite Forall_forall in F. specialize (F rb J). cbn [fst snd].
    rewrite !map_app, vcomb_short, dot_short by (rewrite map_length; unfold layer, vec in *; lia). reflexivity.
  - unfold merge, params_layer. rewrite !map_map. f_equal. apply map_ext. intros rb. cbn [fst snd]. f_equal.
    + apply count_ext. intros j. rewrite !nth_vcomb, map_app, map_app, dot_skip by (rewrite !map_length; exact L). reflexivity.
    + apply nz_eq. rewrite map_app, dot_skip by (rewrite map_length; exact L). reflexivity.
Qed.
(** Two rows for each of many pairs. *)
Definition flat (ps : list ((vec * R) * (vec * R))) : layer := flat_map (fun p => [fst p; snd p]) ps.
Definition merge_row (L : layer) (rb : vec * R) : vec * R := (vcomb (fst rb) (map fst L), dot (fst rb) (map snd L) + snd rb).
(** A layer copied for pairs of rows. *)
Lemma copies_pairs F L ps : fits 2 F -> params_layer (merge (merge (diag_copies (length ps) 2 F) (flat ps)) L) =
  list_sum (map (fun p => params_layer (merge F (merge [fst p; snd p] L))) ps).
Proof.
  intros W. rewrite params_assoc. induction ps as [|p ps IH]; [reflexivity|]. cbn [length diag_copies flat flat_map map]. fold (flat ps).
  change (merge ([fst p; snd p] ++ flat ps) L) with (merge ([fst p; snd p] ++ flat ps) L).
  replace (merge ([fst p; snd p] ++ flat ps) L) with (merge [fst p; snd p] L ++ merge (flat ps) L) by (unfold merge; now rewrite map_app).
  rewrite merge_diag, IH by auto. reflexivity.
Qed.
(** The first layer of a product whose factors have c and d entries. *)
Lemma wcount_vscale c r : forall u, wcount (vscale c r) u = (nz c * wcount r u)%nat.
Proof. induction r as [|a r IH]; intros [|k u]; cbn [vscale map wcount]; try lia. unfold vscale in IH. rewrite IH, nz_mult. lia. Qed.
(** A square's two rows. *)
Lemma score_signs r u b : score (merge [([1], 0); ([-1], 0)] [(r, 0)]) u b = (2 * (wcount r u + nz (dot r b)))%nat.
Proof.
  unfold merge. cbn [map fst snd vcomb dot]. rewrite !score_cons, score_nil, !vadd_nil_r, !wcount_vscale, !dot_vscale, (nz_1 1), (nz_1 (-1)) by lra.
  rewrite (nz_eq (1 * dot r b + _) (dot r b)), (nz_eq (-1 * dot r b + _) (- dot r b)), nz_opp by lra. lia.
Qed.
(** A product's first layer. *)
Lemma score_first3 M c d z : 0 < M -> score (first3 M) [c; d] [z; 0] = (4 * c + 4 * d + 4 * nz z)%nat.
Proof.
  intros HM. pose proof (inv_2M M HM) as I. unfold first3. rewrite !score_app, !score_signs. cbn [wcount dot]. rewrite nz_0, (nz_1 _ I).
  rewrite (nz_eq (0 * z + _) 0), nz_0 by lra. rewrite (nz_eq (/ (2 * M) * z + (/ (2 * M) * 0 + 0)) (/ (2 * M) * z)), (nz_eq (/ (2 * M) * z + (0 * 0 + 0)) (/ (2 * M) * z)), nz_mult, (nz_1 _ I) by lra. lia.
Qed.
(** Rows that agree up to zeros at their ends. *)
Lemma wcount_ext r r' u : (forall j, nth j r 0 = nth j r' 0) -> wcount r u = wcount r' u.
Proof. intros H. rewrite !wcount_nth. apply list_sum_ext. intros i _. now rewrite H. Qed.
(** What lies beyond the rows does not matter. *)
Lemma wcount_app_l a : forall b u, (length u <= length a)%nat -> wcount (a ++ b) u = wcount a u.
Proof. induction a as [|x a IH]; intros b [|k u] H; simpl in *; try lia; [now rewrite wcount_nil_r|]. now rewrite IH by lia. Qed.
(** Rows in two parts. *)
Lemma wcount_app a b u v : length a = length u -> wcount (a ++ b) (u ++ v) = (wcount a u + wcount b v)%nat.
Proof. intros E. rewrite wcount_cut, wcount_app_l by lia. f_equal. rewrite <- E, skipn_app, Nat.sub_diag, skipn_all. reflexivity. Qed.

(** Entries of a constant list. *)
Lemma nth_rep {A} (x d : A) i n : (i < n)%nat -> nth i (repeat x n) d = x.
Proof. intros H. rewrite (nth_indep _ d x) by (rewrite repeat_length; auto). apply nth_repeat. Qed.

Section Literal.
Variables (t : nat -> nat -> R) (m D K w : nat) (M : R) (inds clean : net) (S : data).
Let N := length S.
Hypotheses (Hm : (1 <= m)%nat) (HM : 0 < M) (K1 : (1 <= K)%nat) (W : wf D clean) (Ho : length (readout clean) = K).
Hypotheses (Hw : blocks (readout inds) (repeat w N)) (Hb : map snd (readout inds) = repeat 0 N) (Wi : (1 <= depth inds)%nat).
(** Each label has one output whose target is not 0. *)
Hypothesis Ht : forall c y, In (c, y) S -> list_sum (map (fun k => nz (t y k)) (seq 0 K)) = 1%nat.
Let a := wait_clean inds clean.
Let b := wait_inds inds clean.
(** Entries of an indicator's row when it meets the products: w, or 1 where it waits. *)
Definition width_met : nat := match b with O => w | _ => 1 end.
Definition held : nat := match b with O => 0 | Datatypes.S b' => (w * N + b' * N)%nat end.

(** f_clean and indicators, waiting for each other. *)
Lemma count_base : hid (base K inds clean S) = (hid clean + 2 * out clean + 2 * K * (a - 1) + hid inds + held)%nat /\
  blocks (readout (base K inds clean S)) (repeat 2%nat K ++ repeat width_met N) /\ map snd (readout (base K inds clean S)) = repeat 0 (K + N).
Proof.
  unfold base. fold a b N. set (f' := delay a (carryK K a) clean). set (g' := delay b (carry N b) inds).
  assert (A1 : (1 <= a)%nat) by (unfold a, wait_clean; lia).
  assert (Df : depth f' = depth g') by (unfold f', g', a, b; rewrite !depth_delay by (apply depth_carryK || apply depth_carry); unfold wait_clean, wait_inds; lia).
  assert (Wf : wf D f'). { unfold f', delay. destruct a; auto. apply wf_compose; auto. rewrite Ho. apply wf_carryK. }
  assert (N0 : depth f' <> 0%nat) by (unfold f'; rewrite depth_delay by apply depth_carryK; lia).
  assert (Hf : hid f' = (hid clean + 2 * out clean + 2 * K * (a - 1))%nat /\ readout f' = joinK K).
  { unfold f'. destruct a as [|a']; [lia|]. cbn [delay]. destruct (hid_compose (carryK K (Datatypes.S a')) clean (splitK K) (repeat (ident (2 * K)) a') eq_refl) as [H R].
    rewrite H, R, params_merge_split, params_repeat_ident by auto. split; [unfold out; lia | reflexivity]. }
  assert (Hg : hid g' = (hid inds + held)%nat /\ blocks (readout g') (repeat width_met N) /\ map snd (readout g') = repeat 0 N).
  { unfold g', held, width_met. destruct b as [|b']; cbn [delay]; [split; [lia | auto]|].
    destruct (hid_compose (carry N (Datatypes.S b')) inds (ident N) (repeat (ident N) b') eq_refl) as [H R].
    rewrite H, R, (params_merge _ _ _ Hw), Hb, score_ident, list_sum_repeat, count_zeros, params_repeat_ident by apply repeat_length.
    cbn [carry readout]. split; [lia | split; [apply blocks_ident | apply biases_ident]]. }
  destruct Hf as [H1 R1], Hg as [H2 [B2 Z2]]. rewrite hid_parallel, H1, H2 by auto. split; [lia|]. split.
  - apply (blocks_parallel _ _ D); auto. rewrite R1. apply blocks_join.
  - destruct (readout_parallel f' g' D Wf Df N0) as [n [_ ->]]. now rewrite map_snd_diag, R1, Z2, biases_join, repeat_app.
Qed.
(** One product's first layer. *)
Lemma count_pair L i k : (i < N)%nat -> (k < K)%nat -> blocks L (repeat 2%nat K ++ repeat width_met N) -> map snd L = repeat 0 (K + N) -> forall z,
  params_layer (merge (first3 M) (merge [(map Ropp (idrow K k) ++ repeat 0 N, z); (repeat 0 K ++ idrow N i, 0)] L)) = (8 + 4 * width_met + 4 * nz z)%nat.
Proof.
  intros Hi Hk [Lu Bu] Z z. rewrite (params_merge _ _ [2%nat; width_met]).
  - assert (E : map snd (merge [(map Ropp (idrow K k) ++ repeat 0 N, z); (repeat 0 K ++ idrow N i, 0)] L) = [z; 0]).
    { unfold merge. cbn [map fst snd]. rewrite Z, !dot_zero_list. f_equal; [lra | f_equal; lra]. }
    rewrite E, score_first3 by auto. lia.
  - split; [reflexivity|]. intros r. rewrite <- count_assoc, Bu. cbn [map fst].
    assert (T : forall p q, wcount (vadd (vscale p (map Ropp (idrow K k) ++ repeat 0 N)) (vscale q (repeat 0 K ++ idrow N i))) (repeat 2%nat K ++ repeat width_met N) = (nz p * 2 + nz q * width_met)%nat).
    { intros p q. rewrite (wcount_ext _ (vscale p (map Ropp (idrow K k)) ++ vscale q (idrow N i))).
      - rewrite wcount_app by (unfold vscale; rewrite !map_length, idrow_length, repeat_length; auto).
        rewrite !wcount_vscale, wcount_opp, !wcount_idrow by (rewrite ?repeat_length; auto).
        rewrite !nth_rep by auto. lia.
      - intros j. rewrite nth_vadd, !nth_vscale. assert (Lk : length (map Ropp (idrow K k)) = K) by (rewrite map_length; now apply idrow_length).
        destruct (le_lt_dec K j) as [H|H].
        + rewrite !app_nth2 by (unfold vscale; rewrite ?map_length, ?repeat_length, ?idrow_length; auto; lia). unfold vscale at 1. rewrite !map_length, idrow_length, repeat_length by auto.
          rewrite nth_vscale, nth_repeat. lra.
        + rewrite !app_nth1 by (unfold vscale; rewrite ?map_length, ?repeat_length, ?idrow_length; auto; lia). rewrite nth_vscale, nth_repeat. lra. }
    destruct r as [|p [|q r]]; cbn [vcomb wcount]; [reflexivity| |].
    + rewrite vadd_nil_r. pose proof (T p 0) as T0. rewrite nz_0 in T0. rewrite (wcount_ext _ (vadd (vscale p (map Ropp (idrow K k) ++ repeat 0 N)) (vscale 0 (repeat 0 K ++ idrow N i)))); [lia|].
      intros j. rewrite nth_vadd, !nth_vscale. lra.
    + replace (vcomb r []) with (@nil R) by (destruct r; reflexivity). rewrite vadd_nil_r, T, wcount_nil_r. lia.
Qed.
Definition pair_rows (i k : nat) : (vec * R) * (vec * R) := ((map Ropp (idrow K k) ++ repeat 0 N, t (label S i) k), (repeat 0 K ++ idrow N i, 0)).
Definition all_pairs : list ((vec * R) * (vec * R)) := flat_map (fun i => map (pair_rows i) (seq 0 K)) (seq 0 N).
(** Factors stand in pairs. *)
Lemma factors_flat : factors t K S = flat all_pairs.
Proof.
  unfold factors, all_pairs, flat. fold N. generalize (seq 0 N). induction l as [|i l IH]; [reflexivity|]. cbn [flat_map]. rewrite flat_map_app. f_equal; [|exact IH].
  generalize (seq 0 K). induction l0 as [|k l0 IHk]; [reflexivity|]. cbn [flat_map map app fst snd pair_rows]. f_equal. f_equal. exact IHk.
Qed.
(** N K of them. *)
Lemma all_pairs_length : length all_pairs = (N * K)%nat.
Proof.
  unfold all_pairs. rewrite <- (seq_length N 0) at 2. generalize (seq 0 N). induction l as [|i l IH]; auto. cbn [flat_map length Nat.mul].
  rewrite app_length, map_length, seq_length, IH. reflexivity.
Qed.
(** A product's first layer takes two numbers. *)
Lemma fits_first3 : fits 2 (first3 M).
Proof. unfold first3, merge. cbn [map fst snd vcomb]. unfold vscale. cbn [map]. cbn [vadd app]. wfs. Qed.
(** First layers of all products. *)
Lemma count_all_pairs L : blocks L (repeat 2%nat K ++ repeat width_met N) -> map snd L = repeat 0 (K + N) ->
  params_layer (merge (merge (diag_copies (N * K) 2 (first3 M)) (factors t K S)) L) = (N * K * (8 + 4 * width_met) + 4 * N)%nat.
Proof.
  intros Bl Z. rewrite <- all_pairs_length, factors_flat, copies_pairs by apply fits_first3. rewrite all_pairs_length.
  unfold all_pairs. assert (Hi : forall i, In i (seq 0 N) -> (i < N)%nat) by (intros i J; apply in_seq in J; lia). rewrite <- (seq_length N 0) at 2 3. revert Hi. generalize (seq 0 N) as li.
  induction li as [|i li IH]; intros Hi; [reflexivity|]. cbn [flat_map length]. rewrite map_app, list_sum_app, IH by (intros; apply Hi; right; auto).
  rewrite map_map. assert (E : list_sum (map (fun k => params_layer (merge (first3 M) (merge [fst (pair_rows i k); snd (pair_rows i k)] L))) (seq 0 K)) = (K * (8 + 4 * width_met) + 4)%nat).
  { rewrite (list_sum_ext _ (fun k => ((8 + 4 * width_met) + 4 * nz (t (label S i) k))%nat)).
    - rewrite list_sum_add, list_sum_const.
      assert (Q : list_sum (map (fun k => (4 * nz (t (label S i) k))%nat) (seq 0 K)) = 4%nat).
      { assert (Hn : (i < length S)%nat) by (apply Hi; left; auto). destruct (nth_some S i Hn) as [c [y Ec]]. rewrite (nth_label S i c y Ec).
        assert (Ic : In (c, y) S) by (eapply nth_error_In; eauto). pose proof (Ht c y Ic) as H1.
        transitivity (4 * list_sum (map (fun k => nz (t y k)) (seq 0 K)))%nat; [|lia]. generalize (seq 0 K). clear. intros l. unfold list_sum.
        induction l; cbn [map fold_right]; lia. }
      rewrite Q. lia.
    - intros k J. apply in_seq in J. cbn [pair_rows fst snd]. apply count_pair; auto; [apply Hi; left; auto | lia]. }
  rewrite E. lia.
Qed.
(** The sum of N products. *)
Lemma wcount_concat k n : (k < K)%nat -> wcount (concat (repeat (idrow K k) n)) (repeat 3%nat (n * K)) = (3 * n)%nat.
Proof.
  intros H. induction n; [reflexivity|]. cbn [repeat concat Nat.mul]. rewrite repeat_app, wcount_app, IHn, wcount_idrow by (rewrite ?repeat_length, ?idrow_length; auto).
  rewrite nth_rep by (auto; lia). lia.
Qed.
(** The whole network. *)
Theorem params_literal : params (literal t m K M inds clean S) =
  (hid clean + 2 * out clean + 2 * K * (a - 1) + hid inds + held + N * K * (21 * m + 20 + 4 * width_met) + 4 * N + K * (2 * m + 10))%nat.
Proof.
  destruct count_base as [Hba [Bba Zba]]. destruct (hidden_yarotsky m M Hm HM) as [ls [r [E [P [R C]]]]].
  destruct (wf_yarotsky m M Hm) as [Wy _].
  (* carried *)
  set (sel := map (fun k => (idrow K k ++ repeat 0 N, 0)) (seq 0 K)).
  assert (Ec : hidden (carried m K S) = merge (splitK K) sel :: repeat (ident (2 * K)) (m + 2) /\ readout (carried m K S) = joinK K).
  { unfold carried. fold N. replace (m + 3)%nat with (Datatypes.S (m + 2)) by lia. unfold compose. cbn [carryK hidden readout app]. split; reflexivity. }
  destruct Ec as [Ec Rc].
  (* products *)
  destruct (first_copies (N * K) 2 (yarotsky m M) _ _ E) as [ms [Em Pm]].
  assert (Ep : hidden (products t m K M S) = merge (diag_copies (N * K) 2 (first3 M)) (factors t K S) :: ms /\ readout (products t m K M S) = readout (copies (N * K) 2 (yarotsky m M))).
  { unfold products. fold N. unfold compose. rewrite Em. split; reflexivity. }
  destruct Ep as [Ep Rp].
  assert (Dc : depth (carried m K S) = (m + 3)%nat) by (apply depth_carried).
  assert (Dp : depth (products t m K M S) = (m + 3)%nat) by (now apply depth_products).
  assert (Lms : length ms = (m + 2)%nat) by (unfold depth in Dp; rewrite Ep in Dp; cbn [length] in Dp; unfold layer, vec in *; lia).
  destruct (hidden_parallel _ _ _ _ _ _ Ec Ep ltac:(rewrite repeat_length; symmetry; exact Lms)) as [hs [Eh Ph]].
  destruct (hid_compose (parallel (carried m K S) (products t m K M S)) (base K inds clean S) _ hs Eh) as [H1 R1].
  set (f2 := compose (parallel (carried m K S) (products t m K M S)) (base K inds clean S)) in *.
  destruct (hid_compose0 (totals K S) f2 eq_refl) as [H2 R2]. change (compose (totals K S) f2) with (literal t m K M inds clean S) in *.
  rewrite params_split. unfold out at 1. rewrite H2, R2, H1, R1, Hba, Ph, Pm, P, params_repeat_ident.
  unfold merge at 1. rewrite map_app, params_layer_app. fold (merge (merge (splitK K) sel) (readout (base K inds clean S))).
  fold (merge (merge (diag_copies (N * K) 2 (first3 M)) (factors t K S)) (readout (base K inds clean S))). rewrite (count_all_pairs _ Bba Zba).
  assert (Ls : params_layer (merge (merge (splitK K) sel) (readout (base K inds clean S))) = (4 * K)%nat).
  { rewrite params_assoc, params_merge_split by (unfold merge, sel; now rewrite !map_length, seq_length). rewrite (params_merge _ _ _ Bba), Zba.
    unfold score, sel. rewrite map_map. cbn [fst snd]. rewrite (list_sum_ext _ (fun _ => 2%nat)); [rewrite list_sum_const; lia|]. intros k J. apply in_seq in J.
    rewrite dot_zero_list, (nz_eq (0 + 0) 0), nz_0 by lra. rewrite wcount_app by (rewrite idrow_length, repeat_length; auto; lia).
    rewrite wcount_zeros, wcount_idrow by (rewrite ?repeat_length; auto; lia). rewrite nth_rep by (auto; lia). lia. }
  rewrite Ls.
  (* readout *)
  assert (Wc : wf (K + N) (carried m K S)) by apply wf_carried.
  assert (Ed : depth (carried m K S) = depth (products t m K M S)) by congruence. assert (N0 : depth (carried m K S) <> 0%nat) by lia.
  assert (Bp : blocks (readout (parallel (carried m K S) (products t m K M S))) (repeat 2%nat K ++ repeat 3%nat (N * K))).
  { apply (blocks_parallel _ _ (K + N)); auto; [rewrite Rc; apply blocks_join|]. rewrite Rp, <- times_repeat. apply blocks_copies; auto. rewrite R, <- C. apply blocks_one. }
  assert (Zp : map snd (readout (parallel (carried m K S) (products t m K M S))) = repeat 0 (K + N * K)).
  { destruct (readout_parallel _ _ _ Wc Ed N0) as [n [_ ->]]. rewrite map_snd_diag, Rc, Rp, biases_join, biases_copies, R. cbn [map snd]. now rewrite times_repeat, repeat_app. }
  rewrite (params_merge _ _ _ Bp), Zp.
  assert (Lt : score (readout (totals K S)) (repeat 2%nat K ++ repeat 3%nat (N * K)) (repeat 0 (K + N * K)) = (K * (2 + 3 * N))%nat).
  { unfold totals. fold N. cbn [readout]. unfold score. rewrite map_map. cbn [fst snd]. rewrite (list_sum_ext _ (fun _ => (2 + 3 * N)%nat)); [now rewrite list_sum_const|].
    intros k J. apply in_seq in J. rewrite dot_zero_list, (nz_eq (0 + 0) 0), nz_0 by lra. rewrite wcount_app by (rewrite idrow_length, repeat_length; auto; lia).
    rewrite wcount_concat, wcount_idrow by (rewrite ?repeat_length; auto; lia). rewrite nth_rep by (auto; lia). lia. }
  rewrite Lt. lia.
Qed.
End Literal.

(** Targets have one entry that is not 0. *)
Lemma target2_one (S : data) c y : In (c, y) S -> list_sum (map (fun k => nz (target2 y k)) (seq 0 1)) = 1%nat.
Proof. intros _. cbn [seq map list_sum fold_right]. unfold target2, sign_of. destruct Nat.eqb; rewrite nz_1 by lra; reflexivity. Qed.
(** K classes. *)
Lemma targetK_one K y : (y < K)%nat -> list_sum (map (fun k => nz (targetK y k)) (seq 0 K)) = 1%nat.
Proof.
  intros Y. transitivity (list_sum (map (fun k => if Nat.eqb y k then 1%nat else 0%nat) (seq 0 K))); [|now apply sum_indicator].
  apply list_sum_ext. intros k _. unfold targetK. rewrite Nat.eqb_sym. destruct Nat.eqb; [now rewrite nz_1 by lra | apply nz_0].
Qed.
Section Whole.
Variables (t : nat -> nat -> R) (m D K : nat) (a b M : R) (clean : net) (S : data).
Hypotheses (Hm : (1 <= m)%nat) (HM : 0 < M) (K1 : (1 <= K)%nat) (W : wf D clean) (Ho : length (readout clean) = K) (Hab : a < b) (A0 : a <> 0) (B0 : b <> 0).
Hypothesis Ht : forall c y, In (c, y) S -> list_sum (map (fun k => nz (t y k)) (seq 0 K)) = 1%nat.
Let N := length S.
(** l_inf. *)
Theorem params_literal_linf : (3 <= D)%nat -> (forall c y, In (c, y) S -> length c = D /\ distinct c) -> (depth clean < gate_depth D)%nat ->
  params (literal t m K M (gate_indicators a b D S) clean S) =
    (N * (tree_size D + K * (21 * m + 28) + 4) + hid clean + 2 * out clean + 2 * K * (gate_depth D - depth clean - 1) + K * (2 * m + 10))%nat.
Proof.
  intros D3 G Sh. destruct (count_gate_indicators a b D S Hab A0 B0 D3 G) as [H [Bl [Bi Dp]]].
  rewrite (params_literal t m D K 2 M (gate_indicators a b D S) clean S) by (auto; rewrite Dp; unfold gate_depth; lia). unfold held, width_met, wait_inds, wait_clean. rewrite H, Dp.
  replace (Nat.max (depth clean + 1) (gate_depth D)) with (gate_depth D) by lia. rewrite Nat.sub_diag. fold N. lia.
Qed.
(** l_2. *)
Theorem params_literal_l2 : (forall c y, In (c, y) S -> length c = D /\ nonzero c) -> (depth clean < m + 3)%nat ->
  params (literal t m K M (indicators2 m D a b S) clean S) =
    (N * (7 * D * m + 4 * D + 4 + K * (21 * m + 28) + 4) + hid clean + 2 * out clean + 2 * K * (m + 3 - depth clean - 1) + K * (2 * m + 10))%nat.
Proof.
  intros G Sh. destruct (count_indicators2 m D a b S Hm Hab A0 B0 G) as [H [Bl [Bi Dp]]].
  rewrite (params_literal t m D K 2 M (indicators2 m D a b S) clean S) by (auto; rewrite Dp; lia). unfold held, width_met, wait_inds, wait_clean. rewrite H, Dp.
  replace (Nat.max (depth clean + 1) (m + 3)) with (m + 3)%nat by lia. rewrite Nat.sub_diag. fold N. lia.
Qed.
End Whole.
