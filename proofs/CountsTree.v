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
Lemma maxes_copies p : maxes p = copies p 2 max2.
Proof. induction p; [reflexivity|]. cbn [maxes copies]. now rewrite IHp. Qed.
Lemma hidden_maxes p : hidden (maxes p) = [diag_copies p 2 max2_layer].
Proof.
  rewrite maxes_copies. destruct (first_copies p 2 max2 max2_layer [] eq_refl) as [ms [E _]]. rewrite E.
  pose proof (depth_copies p 2 max2) as Dp. unfold depth in Dp. rewrite E in Dp. destruct ms; [reflexivity | simpl in Dp; lia].
Qed.
Lemma blocks_max2 : blocks (readout max2) [2%nat].
Proof. cbn [max2 readout]. replace 2%nat with (count [1; 1]) by counted. apply blocks_one. Qed.
Lemma wf_max2 : wf 2 max2.
Proof. wfs. Qed.
Lemma blocks_maxes p : blocks (readout (maxes p)) (repeat 2%nat p).
Proof. rewrite maxes_copies, <- times_repeat. apply blocks_copies; [apply wf_max2 | apply blocks_max2]. Qed.
Lemma biases_maxes p : map snd (readout (maxes p)) = repeat 0 p.
Proof. rewrite maxes_copies, biases_copies. apply times_repeat. Qed.
(** A pair's rows of x and y entries with biases s and t cost x + 2 y, and the biases. *)
Definition pairs (p : nat) (u : list nat) (b : vec) : nat := score (diag_copies p 2 max2_layer) u b.
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
Lemma params_assoc A M L : params_layer (merge (merge A M) L) = params_layer (merge A (merge M L)).
Proof.
  unfold params_layer. unfold merge at 1 2. unfold merge at 1. rewrite !map_map. f_equal. apply map_ext. intros [r c]; cbn [fst snd]. f_equal.
  - apply count_assoc.
  - apply nz_eq. pose proof (dot_affine r M (map snd L)) as E. unfold affine in E. unfold merge. rewrite map_map. cbn [snd]. rewrite E. lra.
Qed.
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
