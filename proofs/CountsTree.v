(** Main theorems [params_gate], [params_gate_K]: the closed form of f_S on l_inf balls in the variant gate, for all N, D >= 3 and every
    f_clean: four times an indicator's count is 31 D + 8, 13, 6 or 15 as D mod 4 is 0, 1, 2 or 3. On the way [params_tree]: the tree of maxima
    of n numbers. Centres are generic: positive, pairwise different coordinates. *)
From Coq Require Import Reals Lra List Lia Arith Bool.
From CGRO Require Import Networks Squaring Multiplication Counts EuclideanDistance Distance Indicators Memorize MemorizeClasses MemorizeEuclidean
  MemorizeIndicators MemorizeGate Composition CountsClassifiers Copies CountsIndicators.
Import ListNotations.
Open Scope R_scope.

(** * one level of the tree *)
Definition max2_layer : layer := [([1; -1], 0); ([0; 1], 0)].
(** A level's maxima are copies of one. *)
Lemma maxes_copies p : maxes p = copies p 2 max2.
Proof. induction p; [reflexivity|]. cbn [maxes copies]. now rewrite IHp. Qed.
(** Their only layer. *)
Lemma hidden_maxes p : hidden (maxes p) = [diag_copies p 2 max2_layer].
Proof.
  rewrite maxes_copies. destruct (first_copies p 2 max2 max2_layer [] eq_refl) as [ms [E _]]. rewrite E.
  pose proof (depth_copies p 2 max2) as Dp. unfold depth in Dp. rewrite E in Dp. destruct ms; [reflexivity | simpl in Dp; lia].
Qed.
(** A maximum's readout has two entries. *)
Lemma blocks_max2 : blocks (readout max2) [2%nat].
Proof. cbn [max2 readout]. replace 2%nat with (count [1; 1]) by counted. apply blocks_one. Qed.
(** A maximum fits. *)
Lemma wf_max2 : wf 2 max2.
Proof. wfs. Qed.
(** So have all. *)
Lemma blocks_maxes p : blocks (readout (maxes p)) (repeat 2%nat p).
Proof. rewrite maxes_copies, <- times_repeat. apply blocks_copies; [apply wf_max2 | apply blocks_max2]. Qed.
(** And no biases. *)
Lemma biases_maxes p : map snd (readout (maxes p)) = repeat 0 p.
Proof. rewrite maxes_copies, biases_copies. apply times_repeat. Qed.
(** A pair's rows of x and y entries with biases s and t cost x + 2 y, and the biases. *)
Definition pairs (p : nat) (u : list nat) (b : vec) : nat := score (diag_copies p 2 max2_layer) u b.
(** The first pair, and the others. *)
Lemma pairs_S p x y u s t b : pairs (S p) (x :: y :: u) (s :: t :: b) = (x + 2 * y + nz (s - t) + nz t + pairs p u b)%nat.
Proof.
  unfold pairs. cbn [diag_copies]. rewrite score_diag. cbn [skipn]. f_equal. unfold max2_layer. rewrite !score_cons, score_nil. cbn [wcount dot].
  rewrite nz_0, (nz_1 1), (nz_1 (-1)), (nz_eq (1 * s + _ + 0) (s - t)), (nz_eq (0 * s + _ + 0) t) by lra. lia.
Qed.
(** Pairs without biases, of equal rows; and with a last row of one entry less. *)
Lemma pairs_even k p : pairs p (repeat k (2 * p)) (repeat 0 (2 * p)) = (3 * k * p)%nat.
Proof.
  induction p; [now rewrite Nat.mul_0_r|]. replace (2 * S p)%nat with (S (S (2 * p))) by lia. cbn [repeat]. rewrite pairs_S, IHp.
  rewrite (nz_eq (0 - 0) 0), nz_0 by lra. ring.
Qed.
(** A last row of one entry. *)
Lemma pairs_last p : pairs (S p) (repeat 2%nat (S (2 * p)) ++ [1%nat]) (repeat 0 (S (S (2 * p)))) = (6 * p + 4)%nat.
Proof.
  induction p.
  - cbn [Nat.mul Nat.add repeat app]. rewrite pairs_S, (nz_eq (0 - 0) 0), nz_0 by lra. reflexivity.
  - replace (2 * S p)%nat with (S (S (2 * p))) by lia. remember (S (2 * p)) as q. cbn [repeat app]. rewrite pairs_S.
    change (repeat 2%nat q ++ [1%nat]) with (repeat 2%nat q ++ [1%nat]). cbn [repeat] in IHp. rewrite IHp. rewrite (nz_eq (0 - 0) 0), nz_0 by lra. lia.
Qed.

(** * rotation: the first number goes last *)
(** Products of three maps associate, up to zeros at the ends of rows. *)
Lemma count_assoc r M L : count (vcomb (vcomb r (map fst M)) (map fst L)) = count (vcomb r (map fst (merge M L))).
Proof.
  apply count_ext. intros j. rewrite !nth_vcomb. unfold merge. rewrite !map_map. cbn [fst].
  set (col := map (fun x : vec * R => nth j (fst x) 0) L).
  assert (E : forall rb : vec * R, nth j (vcomb (fst rb) (map fst L)) 0 = dot (fst rb) col).
  { intros rb. rewrite nth_vcomb. f_equal. unfold col. rewrite map_map. reflexivity. }
  rewrite (map_ext _ _ E). clear E. revert r. induction M as [|[w c] M IH]; intros [|a r]; cbn [map fst vcomb dot]; auto.
  rewrite dot_vadd, dot_vscale. f_equal. apply IH.
Qed.
(** In counts, too. *)
Lemma params_assoc A M L : params_layer (merge (merge A M) L) = params_layer (merge A (merge M L)).
Proof.
  unfold params_layer. unfold merge at 1 2. unfold merge at 1. rewrite !map_map. f_equal. apply map_ext. intros [r c]; cbn [fst snd]. f_equal.
  - apply count_assoc.
  - apply nz_eq. pose proof (dot_affine r M (map snd L)) as E. unfold affine in E. unfold merge. rewrite map_map. cbn [snd]. rewrite E. lra.
Qed.
(** The first summand. *)
Lemma list_sum_cons a l : list_sum (a :: l) = (a + list_sum l)%nat.
Proof. reflexivity. Qed.
(** Entries by positions. *)
Lemma wcount_nth u : forall r, wcount r u = list_sum (map (fun i => (nz (nth i r 0%R) * nth i u 0)%nat) (seq 0 (length u))).
Proof.
  induction u as [|k u IH]; intros r; [now rewrite wcount_nil_r|]. cbn [length seq map]. rewrite <- seq_shift, map_map.
  destruct r as [|a r]; cbn [wcount nth].
  - rewrite list_sum_cons, (list_sum_ext _ (fun _ => 0%nat)); [|intros i _; now rewrite nz_0].
    rewrite nz_0, list_sum_const. lia.
  - rewrite IH. reflexivity.
Qed.
(** A column of rows with a single 1. *)
Lemma dot_idrows n j : forall m s r, (s + m <= n)%nat ->
  dot r (map (fun i => nth j (idrow n i) 0) (seq s m)) = if ((s <=? j) && (j <? s + m))%nat then nth (j - s) r 0 else 0.
Proof.
  induction m; intros s r Hs.
  - simpl. rewrite dot_nil_r. destruct (s <=? j)%nat eqn:E1, (j <? s + 0)%nat eqn:E2; auto. apply Nat.leb_le in E1. apply Nat.ltb_lt in E2. lia.
  - cbn [seq map]. destruct r as [|a r]; cbn [dot].
    + destruct ((s <=? j) && (j <? s + S m))%nat; auto. destruct (j - s)%nat; reflexivity.
    + rewrite IHm by lia. unfold idrow. destruct (lt_eq_lt_dec j s) as [[H|H]|H].
      * rewrite app_nth1 by (rewrite repeat_length; lia). rewrite nth_repeat.
        replace (s <=? j)%nat with false by (symmetry; apply Nat.leb_gt; lia). replace (S s <=? j)%nat with false by (symmetry; apply Nat.leb_gt; lia). simpl. lra.
      * subst s. rewrite app_nth2 by (rewrite repeat_length; lia). rewrite repeat_length, Nat.sub_diag.
        replace (j <=? j)%nat with true by (symmetry; apply Nat.leb_le; lia). replace (S j <=? j)%nat with false by (symmetry; apply Nat.leb_gt; lia).
        replace (j <? j + S m)%nat with true by (symmetry; apply Nat.ltb_lt; lia). simpl. lra.
      * rewrite app_nth2 by (rewrite repeat_length; lia). rewrite repeat_length.
        replace (s <=? j)%nat with true by (symmetry; apply Nat.leb_le; lia). replace (S s <=? j)%nat with true by (symmetry; apply Nat.leb_le; lia).
        replace (j - s)%nat with (S (j - S s)) by lia. cbn [nth]. rewrite nth_repeat. replace (s + S m)%nat with (S s + m)%nat by lia. simpl andb.
        destruct (j <? S s + m)%nat; lra.
Qed.
(** A row over rotated rows is a rotated row. *)
Definition rot {A} (l : list A) : list A := match l with [] => [] | x :: l' => l' ++ [x] end.
(** Entry j of a rotated row. *)
Lemma nth_rotated n r j : (1 <= n)%nat -> (j < n)%nat ->
  nth j (vcomb r (map (idrow n) (seq 1 (n - 1) ++ [0%nat]))) 0 = nth (if (j =? 0)%nat then n - 1 else j - 1)%nat r 0.
Proof.
  intros N J. rewrite nth_vcomb, map_map, map_app, dot_cut, dot_idrows, map_length, seq_length by lia.
  pose proof (dot_idrows n j 1 0 (skipn (n - 1) r) ltac:(lia)) as E. cbn [seq map] in *. rewrite E. clear E. cbn [Nat.add].
  destruct (Nat.eqb_spec j 0) as [->|K].
  - cbn [Nat.leb andb Nat.ltb]. simpl. rewrite Rplus_0_l. clear. revert r. induction (n - 1)%nat; intros [|a r]; simpl; auto; destruct r; simpl; auto; lra.
  - replace (1 <=? j)%nat with true by (symmetry; apply Nat.leb_le; lia). replace (j <? S (n - 1))%nat with true by (symmetry; apply Nat.ltb_lt; lia).
    replace (j <? 1)%nat with false by (symmetry; apply Nat.ltb_ge; lia). rewrite andb_false_r. simpl andb. lra.
Qed.
(** Rotated rows keep separate supports. *)
Lemma blocks_rotate n L u : blocks L u -> length L = n -> (1 <= n)%nat ->
  blocks (merge (readout (rotate n)) L) (rot u) /\ map snd (merge (readout (rotate n)) L) = rot (map snd L).
Proof.
  intros [Lu Bu] Ln N. assert (Lr : length (rot u) = n) by (destruct u; simpl in *; [lia|]; rewrite app_length; simpl; lia).
  assert (Rf : map fst (readout (rotate n)) = map (idrow n) (seq 1 (n - 1) ++ [0%nat])) by (unfold rotate; cbn [readout]; rewrite map_map; now apply map_ext).
  split; [split|].
  - rewrite Lr. unfold merge, rotate. cbn [readout]. rewrite !map_length, app_length, seq_length. simpl. lia.
  - intros r. transitivity (count (vcomb (vcomb r (map fst (readout (rotate n)))) (map fst L))).
    + symmetry. apply count_assoc.
    + rewrite Bu, Rf, !wcount_nth, Lr. rewrite Lu, Ln. destruct n as [|n]; [lia|]. destruct u as [|k u]; [simpl in Lu; lia|]. cbn [rot].
      symmetry. rewrite seq_S at 1. rewrite map_app, list_sum_app. cbn [seq map]. rewrite !list_sum_cons. symmetry.
      rewrite nth_rotated by lia. cbn [Nat.eqb nth Nat.add]. rewrite Nat.add_comm. f_equal.
      * rewrite <- (seq_shift n 0), map_map. apply list_sum_ext. intros i I. apply in_seq in I. rewrite nth_rotated by lia. cbn [Nat.eqb nth].
        replace (S i - 1)%nat with i by lia. rewrite app_nth1 by (simpl in Lu; lia). reflexivity.
      * cbn [map list_sum fold_right]. replace (S n - 1)%nat with n by lia. rewrite app_nth2 by (simpl in Lu; lia).
        replace (n - length u)%nat with 0%nat by (simpl in Lu; lia). cbn [nth]. lia.
  - unfold merge, rotate. cbn [readout]. rewrite !map_map. cbn [fst snd]. rewrite map_app. cbn [map].
    destruct L as [|[r c] L]; [simpl in Ln; lia|]. cbn [map snd rot]. rewrite <- Ln. cbn [length]. f_equal.
    + replace (S (length L) - 1)%nat with (length L) by lia. transitivity (map (fun i => nth i (map snd L) 0) (seq 0 (length (map snd L)))); [|apply map_nth_seq].
      rewrite map_length, <- seq_shift, map_map. apply map_ext_in. intros i I. apply in_seq in I.
      rewrite dot_idrow by (cbn [length]; rewrite ?map_length; lia). cbn [nth]. lra.
    + rewrite dot_idrow by (cbn [length]; rewrite ?map_length; lia). cbn [nth]. f_equal. lra.
Qed.

(** * the tree *)
(** The first layer of a level, met by rows of u entries with biases b. *)
Definition hold_layer : layer := [([1], 0)].
Definition level_cost (n : nat) (u : list nat) (b : vec) : nat :=
  if Nat.even n then pairs (n / 2) u b else (pairs (n / 2) (rot u) (rot b) + score hold_layer (skipn (2 * (n / 2)) (rot u)) (skipn (2 * (n / 2)) (rot b)))%nat.
(** A level's first layer costs as [level_cost] says. *)
Lemma level_first n : (1 <= n)%nat -> exists l, hidden (level n) = [l] /\
  forall L u, blocks L u -> length L = n -> params_layer (merge l L) = level_cost n u (map snd L).
Proof.
  intros N. unfold level, level_cost. destruct (Nat.even n) eqn:E.
  - rewrite hidden_maxes. eexists; split; [reflexivity|]. intros L u Bl _. now rewrite (params_merge _ _ _ Bl).
  - assert (Hd : hidden (dsum (2 * (n / 2)) (maxes (n / 2)) hold) = [diag (2 * (n / 2)) (diag_copies (n / 2) 2 max2_layer) hold_layer]).
    { unfold dsum. rewrite hidden_maxes. reflexivity. }
    unfold compose. rewrite Hd. cbn [hidden rotate app]. eexists; split; [reflexivity|]. intros L u Bl Ln.
    destruct (blocks_rotate n L u Bl Ln N) as [Br Zr]. rewrite params_assoc. change (Net [] _) with (rotate n) in *.
    rewrite (params_merge _ _ _ Br), Zr, score_diag. reflexivity.
Qed.
(** Its readout: sums of two, and for odd n one unit alone. *)
Definition level_rows (n : nat) : list nat := repeat 2%nat (n / 2) ++ (if Nat.even n then [] else [1%nat]).
(** The rows and biases that a level gives. *)
Lemma level_readout n : (2 <= n)%nat -> blocks (readout (level n)) (level_rows n) /\ map snd (readout (level n)) = repeat 0 (n - n / 2).
Proof.
  intros N. unfold level, level_rows. destruct (Nat.even n) eqn:E.
  - rewrite app_nil_r. split; [apply blocks_maxes|]. rewrite biases_maxes. f_equal. apply Nat.even_spec in E as [p E].
    replace (n / 2)%nat with p by (rewrite E, Nat.mul_comm, Nat.div_mul; auto). lia.
  - assert (Dm : depth (maxes (n / 2)) = depth hold) by now rewrite depth_maxes.
    assert (Ro : readout (compose (dsum (2 * (n / 2)) (maxes (n / 2)) hold) (rotate n)) = readout (dsum (2 * (n / 2)) (maxes (n / 2)) hold)).
    { unfold compose, dsum. rewrite hidden_maxes. reflexivity. }
    rewrite Ro. destruct (wf_maxes (n / 2)) as [W _]. split.
    + apply blocks_dsum; auto; [apply blocks_maxes|]. cbn [hold readout]. replace 1%nat with (count [1]) by counted. apply blocks_one.
    + rewrite readout_dsum by auto. rewrite map_snd_diag, biases_maxes. cbn [hold readout map snd].
      assert (O : Nat.odd n = true) by (unfold Nat.odd; now rewrite E). apply Nat.odd_spec in O as [p O].
      replace (n / 2)%nat with p by (apply (Nat.div_unique n 2 p 1); lia). replace (n - p)%nat with (p + 1)%nat by lia.
      now rewrite repeat_app.
Qed.
(** n sums of two; n - 1 of them and one unit alone. *)
Definition row_kinds (last : bool) (n : nat) : list nat := if last then repeat 2%nat (n - 1) ++ [1%nat] else repeat 2%nat n.
(** Equal things do not change when rotated. *)
Lemma rot_repeat {A} (x : A) n : rot (repeat x n) = repeat x n.
Proof. destruct n; auto. cbn [repeat rot]. change [x] with (repeat x 1). rewrite <- repeat_app. now replace (n + 1)%nat with (S n) by lia. Qed.
(** What follows the pairs does not matter. *)
Lemma pairs_prefix p u v b d : length u = (2 * p)%nat -> length b = (2 * p)%nat -> pairs p (u ++ v) (b ++ d) = pairs p u b.
Proof.
  revert u b. induction p; intros u b U Bl; [unfold pairs; reflexivity|].
  destruct u as [|x [|y u]], b as [|s [|t b]]; simpl in U, Bl; try lia. cbn [app]. rewrite !pairs_S, IHp by lia. reflexivity.
Qed.
(** The same for all p. *)
Lemma pairs_last' p : (1 <= p)%nat -> pairs p (repeat 2%nat (2 * p - 1) ++ [1%nat]) (repeat 0 (2 * p)) = (6 * p - 2)%nat.
Proof.
  intros P. destruct p as [|p]; [lia|]. replace (2 * S p - 1)%nat with (S (2 * p)) by lia. replace (2 * S p)%nat with (S (S (2 * p))) by lia.
  rewrite pairs_last. lia.
Qed.
(** What a level of the tree above the first costs. *)
Lemma level_cost_kinds last n : (2 <= n)%nat ->
  level_cost n (row_kinds last n) (repeat 0 n) = (3 * n - (if last then 2 else 0) - (if Nat.even n then 0 else 1))%nat.
Proof.
  intros N. unfold level_cost. destruct (Nat.even n) eqn:E.
  - apply Nat.even_spec in E as [p E]. replace (n / 2)%nat with p by (rewrite E, Nat.mul_comm, Nat.div_mul; auto). rewrite E.
    destruct last; cbn [row_kinds]; [rewrite pairs_last' by lia | rewrite pairs_even]; lia.
  - assert (O : Nat.odd n = true) by (unfold Nat.odd; now rewrite E). apply Nat.odd_spec in O as [p O].
    replace (n / 2)%nat with p by (apply (Nat.div_unique n 2 p 1); lia). rewrite rot_repeat, O, repeat_app.
    assert (Z : forall k, score hold_layer [k] [0] = k).
    { intros k. unfold hold_layer. rewrite score_cons, score_nil. cbn [wcount dot]. rewrite (nz_1 1), (nz_eq (_ + 0) 0), nz_0 by lra. lia. }
    assert (Sb : skipn (2 * p) (repeat 0 (2 * p) ++ repeat 0 1) = [0]) by (rewrite skipn_app, repeat_length, Nat.sub_diag, skipn_all2 by (rewrite repeat_length; lia); reflexivity).
    rewrite Sb. destruct last; cbn [row_kinds].
    + replace (rot (repeat 2%nat (2 * p + 1 - 1) ++ [1%nat])) with ((repeat 2%nat (2 * p - 1) ++ [1%nat]) ++ [2%nat]).
      2: { replace (2 * p + 1 - 1)%nat with (S (2 * p - 1)) by lia. reflexivity. }
      assert (Lq : length (repeat 2%nat (2 * p - 1) ++ [1%nat]) = (2 * p)%nat) by (rewrite app_length, repeat_length; simpl; lia).
      rewrite pairs_prefix by (rewrite ?repeat_length; auto). rewrite pairs_last', skipn_app, Lq, Nat.sub_diag, skipn_all2 by lia. cbn [skipn app]. rewrite Z. lia.
    + rewrite rot_repeat, repeat_app. rewrite pairs_prefix, pairs_even by (now rewrite repeat_length).
      rewrite skipn_app, repeat_length, Nat.sub_diag, skipn_all2 by (rewrite repeat_length; lia). cbn [skipn app repeat]. rewrite Z. lia.
Qed.
(** What a level gives is one of two kinds. *)
Lemma level_rows_kinds n : (3 <= n)%nat -> level_rows n = row_kinds (Nat.odd n) (n - n / 2).
Proof.
  intros N. unfold level_rows, row_kinds, Nat.odd. destruct (Nat.even n) eqn:E; cbn [negb].
  - rewrite app_nil_r. f_equal. apply Nat.even_spec in E as [p E]. replace (n / 2)%nat with p by (rewrite E, Nat.mul_comm, Nat.div_mul; auto). lia.
  - assert (O : Nat.odd n = true) by (unfold Nat.odd; now rewrite E). apply Nat.odd_spec in O as [p O].
    replace (n / 2)%nat with p by (apply (Nat.div_unique n 2 p 1); lia). f_equal. f_equal. lia.
Qed.
(** The layers above the first level. *)
Theorem params_tree fuel : forall n, (n <= fuel)%nat -> (2 <= n)%nat -> exists l ls, hidden (maximum_ fuel n) = l :: ls /\ hidden (level n) = [l] /\
  params_of ls = (3 * n - (if Nat.even n then 6 else 5))%nat /\ exists r, readout (maximum_ fuel n) = [(r, 0)] /\ count r = 2%nat.
Proof.
  induction fuel as [|k IH]; intros n Hf Hn; [lia|]. cbn [maximum_]. destruct (Nat.leb_spec n 1) as [|_]; [lia|].
  destruct (level_first n ltac:(lia)) as [l [Hl _]]. destruct (Nat.eq_dec n 2) as [->|N3].
  - exists l, []. assert (K : maximum_ k (2 - 2 / 2) = Net [] (ident 1)) by (destruct k; reflexivity). rewrite K. refine (conj _ (conj Hl (conj _ _))).
    + unfold compose. cbn [hidden]. exact Hl.
    + reflexivity.
    + assert (Rl : readout (level 2) = [([1; 1], 0)]) by reflexivity. exists [1 * 1; 1 * 1]. unfold compose. cbn [hidden readout]. rewrite Rl. split.
      * unfold merge, ident, idrow. cbn [map seq fst snd repeat app Nat.sub vcomb vscale vadd dot]. replace (1 * 0 + 0 + 0) with 0 by lra. reflexivity.
      * rewrite !count_cons, !nz_1 by lra. reflexivity.
  - assert (n / 2 < n)%nat by (apply Nat.div_lt; lia). assert (Q : (1 <= n / 2)%nat) by (change 1%nat with (2 / 2)%nat; apply Nat.div_le_mono; lia).
    pose proof (Nat.div_mod n 2 ltac:(lia)) as Dm. pose proof (Nat.mod_upper_bound n 2 ltac:(lia)) as Mb.
    set (q := (n - n / 2)%nat) in *. assert (Q2 : (2 <= q)%nat) by (unfold q; lia).
    destruct (IH q ltac:(unfold q; lia) Q2) as [l' [ls' [H1 [H2 [H3 [r [H4 H5]]]]]]].
    destruct (level_first q ltac:(lia)) as [l'' [Hl' Cl]]. assert (l'' = l') as -> by congruence.
    exists l, (merge l' (readout (level n)) :: ls'). unfold compose. rewrite H1. cbn [hidden readout]. rewrite Hl. refine (conj _ (conj _ (conj _ _))); auto.
    + destruct (level_readout n Hn) as [Bl Zb]. destruct (wf_level n ltac:(lia)) as [_ [Ln _]]. fold q in Zb, Ln.
      rewrite params_of_cons, H3, (Cl _ _ Bl Ln), Zb, level_rows_kinds by lia. fold q. rewrite level_cost_kinds by auto. unfold Nat.odd.
      destruct (Nat.even n) eqn:En, (Nat.even q) eqn:Eq; cbn [negb].
      * apply Nat.even_spec in En as [p En]. assert (n / 2 = p)%nat by (rewrite En, Nat.mul_comm, Nat.div_mul; auto). unfold q in *. lia.
      * apply Nat.even_spec in En as [p En]. assert (n / 2 = p)%nat by (rewrite En, Nat.mul_comm, Nat.div_mul; auto).
        assert (q <> 2)%nat by (intros Z; rewrite Z in Eq; discriminate). unfold q in *. lia.
      * assert (O : Nat.odd n = true) by (unfold Nat.odd; now rewrite En). apply Nat.odd_spec in O as [p O].
        assert (n / 2 = p)%nat by (symmetry; apply (Nat.div_unique n 2 p 1); lia). unfold q in *. lia.
      * assert (O : Nat.odd n = true) by (unfold Nat.odd; now rewrite En). apply Nat.odd_spec in O as [p O].
        assert (n / 2 = p)%nat by (symmetry; apply (Nat.div_unique n 2 p 1); lia). unfold q in *. lia.
    + exists r. split; auto.
Qed.

(** * distances of neighbours, and the first level *)
Fixpoint firsts (c : vec) : vec := match c with a :: _ :: c' => a :: firsts c' | _ => [] end.
(** Entries and biases of the readouts: three for a pair, two for a coordinate left alone. *)
Definition neigh_rows (D : nat) : list nat := repeat 3%nat (D / 2) ++ (if Nat.even D then [] else [2%nat]).
Definition neigh_biases (c : vec) : vec := firsts c ++ (if Nat.even (length c) then [] else [0]).
Definition distinct (c : vec) := Forall (fun a => 0 < a) c /\ NoDup c.
(** Two more, half one more. *)
Lemma half_SS n : (S (S n) / 2 = S (n / 2))%nat.
Proof. replace (S (S n)) with (n + 1 * 2)%nat by lia. rewrite Nat.div_add by lia. lia. Qed.
(** Firsts are coordinates. *)
Lemma firsts_in : forall n c a, (length c <= n)%nat -> In a (firsts c) -> In a c.
Proof. induction n; intros [|x [|y c]] a L I; simpl in L, I; try lia; try tauto. destruct I as [->|I]; [left; auto | right; right; apply IHn; auto; lia]. Qed.
(** So they differ. *)
Lemma firsts_distinct : forall n c, (length c <= n)%nat -> distinct c -> distinct (firsts c) /\ length (firsts c) = (length c / 2)%nat.
Proof.
  induction n; intros [|x [|y c]] L [P N]; simpl in L; try lia; try (repeat split; constructor).
  inversion P as [|? ? Px P']; inversion P' as [|? ? Py P'']; inversion N as [|? ? Nx N']; inversion N' as [|? ? Ny N'']; subst.
  destruct (IHn c ltac:(lia) (conj P'' N'')) as [[Q M] E]. cbn [firsts length]. rewrite half_SS, E. repeat split; auto; constructor; auto.
  intros I. apply Nx. right. apply (firsts_in (length c)); auto.
Qed.
(** Distances of neighbours: entries, rows and biases. *)
Lemma count_neighbours : forall n c, (length c <= n)%nat -> distinct c ->
  hid (neighbours c) = (7 * (length c / 2) + (if Nat.even (length c) then 0 else 4))%nat /\
  blocks (readout (neighbours c)) (neigh_rows (length c)) /\ map snd (readout (neighbours c)) = neigh_biases c.
Proof.
  induction n; intros [|a [|b c]] L [P N]; simpl in L; try lia; try (refine (conj _ (conj _ _)); [reflexivity | apply blocks_nil | reflexivity]).
  - inversion P; subst. refine (conj _ (conj _ _)); [|  | reflexivity].
    + unfold hid. cbn [neighbours near1 hidden]. unfold params_of. cbn [map list_sum fold_right]. unfold params_layer, count. cbn [map fst snd list_sum fold_right].
      rewrite (nz_1 1), (nz_1 (-1)), (nz_1 a), (nz_1 (- a)) by lra. reflexivity.
    + cbn [neighbours near1 readout length]. change (neigh_rows 1) with [2%nat]. replace 2%nat with (count [1; 1]) by counted. apply blocks_one.
  - inversion P as [|? ? Pa P']; inversion P' as [|? ? Pb P'']; inversion N as [|? ? Na N']; inversion N' as [|? ? Nb N'']; subst.
    destruct (IHn c ltac:(lia) (conj P'' N'')) as [H [Bl Zb]]. cbn [neighbours length].
    assert (E : depth (near2 a b) = depth (neighbours c)) by (symmetry; now apply (depth_neighbours (length c))).
    assert (Ab : b - a <> 0) by (intros Z; apply Na; left; lra).
    unfold neigh_rows, neigh_biases. cbn [length]. rewrite half_SS. change (Nat.even (S (S (length c)))) with (Nat.even (length c)). refine (conj _ (conj _ _)).
    + rewrite hid_dsum, H by auto. unfold hid. cbn [near2 hidden]. unfold params_of. cbn [map list_sum fold_right]. unfold params_layer, count. cbn [map fst snd list_sum fold_right].
      rewrite nz_0, (nz_1 1), (nz_1 (-1)), (nz_1 (b - a)), (nz_1 (- (a + b))) by lra. lia.
    + cbn [repeat app]. change (3%nat :: ?l) with ([3%nat] ++ l). apply blocks_dsum; auto; [wfs|]. cbn [near2 readout].
      replace 3%nat with (count [1; 1; -1]) by counted. apply blocks_one.
    + rewrite readout_dsum, map_snd_diag, Zb by auto. reflexivity.
Qed.
(** Pairs of rows of three, and a last row of two, with biases that differ. *)
Lemma pairs3 p : forall b, length b = (2 * p)%nat -> distinct b -> pairs p (repeat 3%nat (2 * p)) b = (11 * p)%nat.
Proof.
  induction p; intros b L [P N]; [reflexivity|]. destruct b as [|s [|t b]]; simpl in L; try lia. replace (2 * S p)%nat with (S (S (2 * p))) by lia.
  inversion P as [|? ? Ps P']; inversion P' as [|? ? Pt P'']; inversion N as [|? ? Ns N']; inversion N' as [|? ? Nt N'']; subst.
  cbn [repeat]. rewrite pairs_S, IHp by (try (split; auto); lia). rewrite (nz_1 t) by lra. rewrite (nz_1 (s - t)) by (intros Z; apply Ns; left; lra). lia.
Qed.
(** With a last row of two. *)
Lemma pairs32 p : forall b, length b = S (2 * p) -> distinct b -> pairs (S p) (repeat 3%nat (S (2 * p)) ++ [2%nat]) (b ++ [0]) = (11 * p + 8)%nat.
Proof.
  induction p; intros b L [P N]; destruct b as [|s [|t b]]; simpl in L; try lia; inversion P as [|? ? Ps P']; subst.
  - cbn [Nat.mul Nat.add repeat app]. rewrite pairs_S, nz_0, (nz_1 (s - 0)) by lra. reflexivity.
  - inversion P' as [|? ? Pt P'']; inversion N as [|? ? Ns N']; inversion N' as [|? ? Nt N'']; subst.
    replace (S (2 * S p)) with (S (S (S (2 * p)))) by lia. remember (S (2 * p)) as q. cbn [repeat app]. rewrite pairs_S, IHp by (try (split; auto); lia).
    rewrite (nz_1 t) by lra. rewrite (nz_1 (s - t)) by (intros Z; apply Ns; left; lra). lia.
Qed.
(** Skipping all of the first list. *)
Lemma skipn_exact {A} (l1 l2 : list A) k : length l1 = k -> skipn k (l1 ++ l2) = l2.
Proof. intros <-. rewrite skipn_app, Nat.sub_diag, skipn_all. reflexivity. Qed.
(** A number that is only carried. *)
Lemma score_hold k s : s <> 0 -> score hold_layer [k] [s] = (k + 1)%nat.
Proof. intros H. unfold hold_layer. rewrite score_cons, score_nil. cbn [wcount dot]. rewrite (nz_1 1), (nz_1 (1 * s + 0 + 0)) by lra. lia. Qed.
(** The first level of the tree. *)
Lemma count_first c q : distinct c -> (1 <= q)%nat -> let cost := level_cost ((length c + 1) / 2) (neigh_rows (length c)) (neigh_biases c) in
  (length c = 4 * q -> cost = 11 * q)%nat /\ (length c = 4 * q + 1 -> cost = 11 * q + 1)%nat /\
  (length c = 4 * q - 2 -> (2 <= q)%nat -> cost = 11 * q - 7)%nat /\ (length c = 4 * q - 1 -> cost = 11 * q - 3)%nat.
Proof.
  intros G Q cost. destruct (firsts_distinct _ c (le_n _) G) as [[Pf Nf] Lf]. unfold cost, level_cost, neigh_rows, neigh_biases.
  refine (conj _ (conj _ (conj _ _))); intros L; rewrite L in *.
  - replace ((4 * q + 1) / 2)%nat with (2 * q)%nat by (apply (Nat.div_unique _ 2 _ 1); lia).
    replace (4 * q / 2)%nat with (2 * q)%nat in * by (apply (Nat.div_unique _ 2 _ 0); lia). replace (Nat.even (4 * q)) with true by (symmetry; apply Nat.even_spec; exists (2 * q)%nat; lia).
    replace (Nat.even (2 * q)) with true by (symmetry; apply Nat.even_spec; exists q; lia). replace (2 * q / 2)%nat with q by (apply (Nat.div_unique _ 2 _ 0); lia).
    rewrite !app_nil_r. apply pairs3; [auto | split; auto].
  - replace ((4 * q + 1 + 1) / 2)%nat with (2 * q + 1)%nat by (apply (Nat.div_unique _ 2 _ 0); lia).
    replace ((4 * q + 1) / 2)%nat with (2 * q)%nat in * by (apply (Nat.div_unique _ 2 _ 1); lia).
    assert (E1 : Nat.even (4 * q + 1) = false) by (rewrite <- Nat.negb_odd; apply Bool.negb_false_iff, Nat.odd_spec; exists (2 * q)%nat; lia). rewrite E1.
    assert (E2 : Nat.even (2 * q + 1) = false) by (rewrite <- Nat.negb_odd; apply Bool.negb_false_iff, Nat.odd_spec; exists q; lia). rewrite E2.
    replace ((2 * q + 1) / 2)%nat with q by (apply (Nat.div_unique _ 2 _ 1); lia).
    destruct (firsts c) as [|s b]; [simpl in Lf; lia|]. simpl in Lf. inversion Pf; inversion Nf; subst.
    assert (Lb : length b = S (2 * (q - 1))) by lia.
    replace (rot (repeat 3%nat (2 * q) ++ [2%nat])) with ((repeat 3%nat (S (2 * (q - 1))) ++ [2%nat]) ++ [3%nat]) by (replace (2 * q)%nat with (S (S (2 * (q - 1)))) by lia; reflexivity).
    replace (rot ((s :: b) ++ [0])) with ((b ++ [0]) ++ [s]) by reflexivity.
    assert (La : length (repeat 3%nat (S (2 * (q - 1))) ++ [2%nat]) = (2 * q)%nat) by (rewrite app_length, repeat_length; simpl; lia).
    assert (Lc : length (b ++ [0]) = (2 * q)%nat) by (rewrite app_length; simpl; lia).
    rewrite pairs_prefix by auto. rewrite !skipn_exact by auto. rewrite score_hold by lra.
    replace q with (S (q - 1)) at 1 by lia. rewrite pairs32 by (try (split; auto); auto). lia.
  - intros Q2. replace ((4 * q - 2 + 1) / 2)%nat with (2 * (q - 1) + 1)%nat by (apply (Nat.div_unique _ 2 _ 1); lia).
    replace ((4 * q - 2) / 2)%nat with (2 * (q - 1) + 1)%nat in * by (apply (Nat.div_unique _ 2 _ 0); lia).
    replace (Nat.even (4 * q - 2)) with true by (symmetry; apply Nat.even_spec; exists (2 * q - 1)%nat; lia).
    assert (E2 : Nat.even (2 * (q - 1) + 1) = false) by (rewrite <- Nat.negb_odd; apply Bool.negb_false_iff, Nat.odd_spec; exists (q - 1)%nat; lia). rewrite E2.
    replace ((2 * (q - 1) + 1) / 2)%nat with (q - 1)%nat by (apply (Nat.div_unique _ 2 _ 1); lia).
    rewrite !app_nil_r, rot_repeat, repeat_app. destruct (firsts c) as [|s b]; [simpl in Lf; lia|]. simpl in Lf. inversion Pf; inversion Nf; subst.
    assert (Lb : length b = (2 * (q - 1))%nat) by lia. cbn [rot]. rewrite pairs_prefix by (rewrite ?repeat_length; auto).
    rewrite !skipn_exact by (rewrite ?repeat_length; auto). cbn [repeat]. rewrite score_hold by lra.
    rewrite pairs3 by (try (split; auto); auto). lia.
  - replace ((4 * q - 1 + 1) / 2)%nat with (2 * q)%nat by (apply (Nat.div_unique _ 2 _ 0); lia).
    replace ((4 * q - 1) / 2)%nat with (S (2 * (q - 1))) in * by (apply (Nat.div_unique _ 2 _ 1); lia).
    assert (E1 : Nat.even (4 * q - 1) = false) by (rewrite <- Nat.negb_odd; apply Bool.negb_false_iff, Nat.odd_spec; exists (2 * q - 1)%nat; lia). rewrite E1.
    replace (Nat.even (2 * q)) with true by (symmetry; apply Nat.even_spec; exists q; lia). replace (2 * q / 2)%nat with q by (apply (Nat.div_unique _ 2 _ 0); lia).
    replace q with (S (q - 1)) at 1 by lia. rewrite pairs32 by (try (split; auto); auto). lia.
Qed.

(** * whole networks *)
(** An indicator's count, without its readout. *)
Definition tree_size (D : nat) : nat := (31 * (D / 4) + nth (D mod 4) [0; 9; 15; 25] 0)%nat.
(** The size, times four, as it is printed. *)
Theorem tree_size_four D : (4 * (tree_size D + 2) = 31 * D + nth (D mod 4) [8; 13; 6; 15] 0)%nat.
Proof.
  unfold tree_size. pose proof (Nat.div_mod D 4 ltac:(lia)) as E. pose proof (Nat.mod_upper_bound D 4 ltac:(lia)) as M.
  set (q := (D / 4)%nat) in *. destruct (D mod 4)%nat as [|[|[|[|r]]]]; try lia; cbn [nth]; lia.
Qed.
(** The distance to one centre. *)
Theorem count_linf_distance c : (3 <= length c)%nat -> distinct c ->
  (hid (linf_distance c) + 6 = tree_size (length c))%nat /\ exists r, readout (linf_distance c) = [(r, 0)] /\ count r = 2%nat.
Proof.
  intros L G. set (D := length c) in *. set (P := ((D + 1) / 2)%nat).
  assert (P2 : (2 <= P)%nat) by (change 2%nat with (4 / 2)%nat; apply Nat.div_le_mono; lia).
  destruct (params_tree P P (le_n _) P2) as [l [ls [H1 [H2 [H3 [r [H4 H5]]]]]]]. fold (maximum P) in *.
  destruct (level_first P ltac:(lia)) as [l' [Hl Cl]]. assert (l' = l) as -> by congruence.
  destruct (count_neighbours _ c (le_n _) G) as [Hn [Bl Zb]]. destruct (wf_neighbours _ c (le_n _)) as [_ Ln]. fold D P in Ln, Hn, Bl.
  unfold linf_distance. fold D P. destruct (hid_compose (maximum P) (neighbours c) l ls H1) as [Hc Rc]. rewrite Hc, Rc. split; [|exists r; auto].
  rewrite Hn, H3, (Cl _ _ Bl Ln), Zb. unfold tree_size.
  pose proof (Nat.div_mod D 4 ltac:(lia)) as E. pose proof (Nat.mod_upper_bound D 4 ltac:(lia)) as M.
  set (q := (D / 4)%nat) in *. destruct (D mod 4)%nat as [|[|[|[|k]]]]; try lia; cbn [nth].
  - destruct (count_first c q G ltac:(lia)) as [C _]. fold D P in C. rewrite C by lia.
    replace (D / 2)%nat with (2 * q)%nat by (apply (Nat.div_unique _ 2 _ 0); lia). assert (Pq : P = (2 * q)%nat) by (symmetry; apply (Nat.div_unique _ 2 _ 1); lia).
    replace (Nat.even D) with true by (symmetry; apply Nat.even_spec; exists (2 * q)%nat; lia). rewrite Pq.
    replace (Nat.even (2 * q)) with true by (symmetry; apply Nat.even_spec; exists q; lia). lia.
  - destruct (count_first c q G ltac:(lia)) as [_ [C _]]. fold D P in C. rewrite C by lia.
    replace (D / 2)%nat with (2 * q)%nat by (apply (Nat.div_unique _ 2 _ 1); lia). assert (Pq : P = (2 * q + 1)%nat) by (symmetry; apply (Nat.div_unique _ 2 _ 0); lia).
    assert (E1 : Nat.even D = false) by (rewrite <- Nat.negb_odd; apply Bool.negb_false_iff, Nat.odd_spec; exists (2 * q)%nat; lia). rewrite E1, Pq.
    assert (E2 : Nat.even (2 * q + 1) = false) by (rewrite <- Nat.negb_odd; apply Bool.negb_false_iff, Nat.odd_spec; exists q; lia). rewrite E2. lia.
  - destruct (count_first c (q + 1) G ltac:(lia)) as [_ [_ [C _]]]. fold D P in C. rewrite C by lia.
    replace (D / 2)%nat with (2 * q + 1)%nat by (apply (Nat.div_unique _ 2 _ 0); lia). assert (Pq : P = (2 * q + 1)%nat) by (symmetry; apply (Nat.div_unique _ 2 _ 1); lia).
    replace (Nat.even D) with true by (symmetry; apply Nat.even_spec; exists (2 * q + 1)%nat; lia). rewrite Pq.
    assert (E2 : Nat.even (2 * q + 1) = false) by (rewrite <- Nat.negb_odd; apply Bool.negb_false_iff, Nat.odd_spec; exists q; lia). rewrite E2. lia.
  - destruct (count_first c (q + 1) G ltac:(lia)) as [_ [_ [_ C]]]. fold D P in C. rewrite C by lia.
    replace (D / 2)%nat with (2 * q + 1)%nat by (apply (Nat.div_unique _ 2 _ 1); lia). assert (Pq : P = (2 * q + 2)%nat) by (symmetry; apply (Nat.div_unique _ 2 _ 0); lia).
    assert (E1 : Nat.even D = false) by (rewrite <- Nat.negb_odd; apply Bool.negb_false_iff, Nat.odd_spec; exists (2 * q + 1)%nat; lia). rewrite E1, Pq.
    replace (Nat.even (2 * q + 2)) with true by (symmetry; apply Nat.even_spec; exists (q + 1)%nat; lia). lia.
Qed.
(** N indicators. *)
Lemma count_gate_indicators a b D (S : data) : a < b -> a <> 0 -> b <> 0 -> (3 <= D)%nat -> (forall c y, In (c, y) S -> length c = D /\ distinct c) ->
  hid (gate_indicators a b D S) = (length S * tree_size D)%nat /\ blocks (readout (gate_indicators a b D S)) (repeat 2%nat (length S)) /\
  map snd (readout (gate_indicators a b D S)) = repeat 0 (length S) /\ depth (gate_indicators a b D S) = gate_depth D.
Proof.
  intros Hab A B H3 H. apply (count_beside (gate_indicator a b) D (gate_depth D) (tree_size D) 2); [unfold gate_depth; lia|].
  intros c y I. destruct (H c y I) as [L G]. destruct (count_linf_distance c ltac:(lia) G) as [Hc [r [Rr Cr]]]. rewrite L in Hc. refine (conj _ (conj _ (conj _ _))).
  - apply wf_gate_indicator; auto; lia.
  - apply depth_gate_indicator; auto; lia.
  - unfold gate_indicator. destruct (hid_compose (soft_indicator a b) (linf_distance c) _ [] eq_refl) as [Hs _]. rewrite Hs, Rr.
    rewrite (params_merge _ _ [2%nat]) by (rewrite <- Cr; apply blocks_one). cbn [map snd]. rewrite score_soft by auto. cbn [params_of map list_sum fold_right]. lia.
  - exact (readout_soft a b Hab).
Qed.
Section Whole.
Variables (B a b : R) (D : nat) (clean : net) (S : data).
Hypotheses (HB : B <> 0) (W : wf D clean) (Hab : a < b) (A0 : a <> 0) (B0 : b <> 0) (H3 : (3 <= D)%nat) (G : forall c y, In (c, y) S -> length c = D /\ distinct c).
(** l_inf, gate, two labels. *)
Theorem params_gate : length (readout clean) = 1%nat -> (forall c y, In (c, y) S -> (y < 2)%nat) ->
  params (memorize2 B (gate_indicators a b D S) S clean) = (length S * (tree_size D + 2) + rest1 clean (gate_depth D + 2))%nat.
Proof.
  intros O Y. destruct (count_gate_indicators a b D S Hab A0 B0 H3 G) as [H [Bl [Bi Dp]]].
  rewrite (params_memorize2 B D 2 (gate_indicators a b D S) clean S) by auto. cbv zeta. rewrite H, Dp. unfold rest1. lia.
Qed.
(** l_inf, gate, K classes. *)
Theorem params_gate_K K : (1 <= K)%nat -> length (readout clean) = K -> (forall c y, In (c, y) S -> (y < K)%nat) ->
  params (memorizeK B K (gate_indicators a b D S) S clean) = (length S * (tree_size D + 2) + restK clean K (gate_depth D + 2))%nat.
Proof.
  intros K1 O Y. destruct (count_gate_indicators a b D S Hab A0 B0 H3 G) as [H [Bl [Bi Dp]]].
  rewrite (params_memorizeK B D K 2 (gate_indicators a b D S) clean S) by auto. cbv zeta. rewrite H, Dp. unfold restK. lia.
Qed.
End Whole.
