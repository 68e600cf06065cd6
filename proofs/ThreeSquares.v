(** Main theorems [mul3_error], [mul3_zero], [eval_yarotsky]: multiplication by three squares, as Yarotsky (2017, Proposition 3) prints it, for
    every m and M > 0: the error lies in M^2 4^-m [-1, 1/2], and the product is 0 if a factor is; [params_yarotsky]: 21 m + 20 parameters;
    [params_multiplication]: 14 m + 16 for two squares. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Squaring Multiplication Counts Indicators Memorize MemorizeEuclidean MemorizeClasses MemorizeShared Composition CountsClassifiers.
Import ListNotations.
Open Scope R_scope.

Definition mul3 (m : nat) (M x y : R) : R :=
  2 * M ^ 2 * (sq m (Rabs (x + y) / (2 * M)) - sq m (Rabs x / (2 * M)) - sq m (Rabs y / (2 * M))).
(** The range of errors. *)
Theorem mul3_error m M x y : 0 < M -> Rabs x <= M -> Rabs y <= M -> - (M ^ 2 * / 4 ^ m) <= mul3 m M x y - x * y <= M ^ 2 * / 4 ^ m / 2.
Proof.
  intros HM Hx Hy. destruct (Rabs_sum M x y Hx Hy) as [P _].
  destruct (sq_error m _ (half_range M _ HM P)) as [A B], (sq_error m _ (half_range M x HM ltac:(lra))) as [C E], (sq_error m _ (half_range M y HM ltac:(lra))) as [F G].
  unfold mul3. set (u := Rabs (x + y) / (2 * M)) in *. set (v := Rabs x / (2 * M)) in *. set (w := Rabs y / (2 * M)) in *.
  assert (Q : x * y = 2 * M ^ 2 * (u ^ 2 - v ^ 2 - w ^ 2)).
  { unfold u, v, w, Rdiv. rewrite !Rpow_mult_distr, !pow2_abs. field. lra. }
  assert (H4 : / 4 ^ m = 4 * / 4 ^ (m + 1)). { rewrite pow_add. pose proof (pow4 m). simpl. field. apply Rgt_not_eq; lra. }
  rewrite Q, H4. assert (0 < M ^ 2) by nra. split; nra.
Qed.
(** Zero where a factor is. *)
Theorem mul3_zero m M x y : x = 0 \/ y = 0 -> mul3 m M x y = 0.
Proof.
  assert (Z : sq m (Rabs 0 / (2 * M)) = 0).
  { rewrite Rabs_R0. unfold Rdiv. rewrite Rmult_0_l. pose proof (sq_error m 0 ltac:(lra)) as [A _]. clear A. induction m; auto. cbn [sq].
    assert (S0 : forall s, saw s 0 = 0) by (induction s; auto; cbn [saw]; rewrite IHs; unfold g; relus; lra). rewrite IHm, S0. unfold Rdiv. lra. }
  unfold mul3. intros [-> | ->]; rewrite Z; rewrite ?Rplus_0_l, ?Rplus_0_r; lra.
Qed.

(** * the network *)
(** f_m of the absolute value of a combination of two numbers. *)
Definition branch3 (m : nat) (r : vec) : net := compose (settled_squaring m) (compose absolute (linear [r])).
Definition squares3 (m : nat) (M : R) : net :=
  parallel (branch3 m [/ (2 * M); / (2 * M)]) (parallel (branch3 m [/ (2 * M); 0]) (branch3 m [0; / (2 * M)])).
Definition yarotsky (m : nat) (M : R) : net := compose (linear [[2 * M ^ 2; -2 * M ^ 2; -2 * M ^ 2]]) (compose (carry 3 1) (squares3 m M)).
(** A square's value. *)
Lemma eval_branch3 m M r x z : (1 <= m)%nat -> 0 < M -> dot r x = z / (2 * M) -> Rabs z <= 2 * M -> eval (branch3 m r) x = [sq m (Rabs z / (2 * M))].
Proof.
  intros Hm HM E H. unfold branch3. rewrite !eval_compose, eval_linear. cbn [map]. rewrite E, eval_absolute.
  replace (Rabs (z / (2 * M))) with (Rabs z / (2 * M)).
  - apply eval_settled_squaring; auto. now apply half_range.
  - unfold Rdiv. rewrite Rabs_mult. f_equal. symmetry. apply Rabs_right. apply Rle_ge, Rlt_le, Rinv_0_lt_compat; lra.
Qed.
(** A square's depth. *)
Lemma depth_branch3 m r : depth (branch3 m r) = (m + 2)%nat.
Proof. unfold branch3. rewrite !depth_compose, depth_settled. unfold depth; simpl. lia. Qed.
(** A square fits. *)
Lemma wf_branch3 m r : (1 <= m)%nat -> (length r <= 2)%nat -> wf 2 (branch3 m r) /\ length (readout (branch3 m r)) = 1%nat.
Proof.
  intros Hm L. split; [|unfold branch3, compose, settled_squaring, teeth; cbn [hidden]; destruct m; [lia | reflexivity]].
  unfold branch3. apply wf_compose; [apply wf_compose; [|wfs]|].
  - unfold wf, linear; simpl. constructor; [exact L | constructor].
  - now apply wf_settled.
Qed.
(** Three squares fit. *)
Lemma wf_squares3 m M : (1 <= m)%nat -> wf 2 (squares3 m M) /\ length (readout (squares3 m M)) = 3%nat /\ depth (squares3 m M) = (m + 2)%nat.
Proof.
  intros Hm. destruct (wf_branch3 m [/ (2 * M); / (2 * M)] Hm (le_n _)) as [W1 L1]. destruct (wf_branch3 m [/ (2 * M); 0] Hm (le_n _)) as [W2 L2].
  destruct (wf_branch3 m [0; / (2 * M)] Hm (le_n _)) as [W3 L3]. unfold squares3.
  destruct (wf_parallel 2 (branch3 m [/ (2 * M); 0]) (branch3 m [0; / (2 * M)])) as [V R]; auto; [now rewrite !depth_branch3|].
  destruct (wf_parallel 2 (branch3 m [/ (2 * M); / (2 * M)]) (parallel (branch3 m [/ (2 * M); 0]) (branch3 m [0; / (2 * M)]))) as [V' R']; auto;
    [rewrite depth_parallel; now rewrite !depth_branch3|].
  split; [exact V' | split; [rewrite R', R, L1, L2, L3; reflexivity|]].
  rewrite depth_parallel; rewrite ?depth_parallel; now rewrite ?depth_branch3.
Qed.
(** The network's value. *)
Theorem eval_yarotsky m M x y : (1 <= m)%nat -> 0 < M -> Rabs x <= M -> Rabs y <= M -> eval (yarotsky m M) [x; y] = [mul3 m M x y].
Proof.
  intros Hm HM Hx Hy. destruct (Rabs_sum M x y Hx Hy) as [P _]. unfold yarotsky, squares3.
  rewrite !eval_compose, (eval_parallel _ _ 2), (eval_parallel _ _ 2);
    [| now apply wf_branch3 | now rewrite !depth_branch3 | reflexivity | now apply wf_branch3 | rewrite depth_parallel; now rewrite !depth_branch3 | reflexivity].
  rewrite (eval_branch3 m M _ [x; y] (x + y)), (eval_branch3 m M _ [x; y] x), (eval_branch3 m M _ [x; y] y); auto; try (cbn [dot]; field; lra); try lra.
  simpl app. rewrite eval_carry; [|reflexivity|].
  - rewrite eval_linear. cbn [map dot]. f_equal. unfold mul3. simpl. lra.
  - constructor; [|constructor; [|constructor; [|constructor]]]; apply sq_ge0; apply half_range; auto; lra.
Qed.
(** Its depth. *)
Lemma depth_yarotsky m M : (1 <= m)%nat -> depth (yarotsky m M) = (m + 3)%nat.
Proof. intros Hm. unfold yarotsky. rewrite !depth_compose. destruct (wf_squares3 m M Hm) as [_ [_ ->]]. unfold depth; simpl. lia. Qed.
(** It fits. *)
Lemma wf_yarotsky m M : (1 <= m)%nat -> wf 2 (yarotsky m M) /\ length (readout (yarotsky m M)) = 1%nat.
Proof.
  intros Hm. destruct (wf_squares3 m M Hm) as [W [L _]]. split; [|reflexivity]. unfold yarotsky. apply wf_compose; [apply wf_compose; auto|].
  - rewrite L. apply wf_carry.
  - unfold compose, carry; cbn [hidden readout]. wfs.
Qed.

(** * counts *)
(** The settled square: 7 m + 1, three of them in the first layer. *)
Lemma hidden_settled m : (1 <= m)%nat -> exists ls, hidden (settled_squaring m) = [([1], 0); ([1], - (1 / 2))] :: ls /\ params_of ls = (7 * m - 4)%nat /\
  exists r, readout (settled_squaring m) = [(r, 0)] /\ count r = 2%nat.
Proof.
  intros M. destruct m as [|m]; [lia|].
  exists (map tooth_layer (seq 2 m) ++ [match m with O => [([2; -4], 0); ([1; 0], 0)] | _ => [([2; -4; 0], 0); ([- / 4 ^ m; 0; 1], 0)] end]).
  split; [destruct m; reflexivity|].
  assert (Ro : exists r, readout (settled_squaring (S m)) = [(r, 0)] /\ count r = 2%nat).
  { eexists. split; [reflexivity|]. pose proof (inv4 (S m)). rewrite !count_cons, !nz_1 by lra. reflexivity. }
  split; [|exact Ro]. rewrite params_of_app. destruct m as [|k].
  - cbn [seq map]. unfold params_of. cbn [map list_sum fold_right]. counted.
  - pose proof (params_teeth k) as T. unfold teeth in T. cbn [seq map tooth_layer] in T. rewrite params_of_cons in T.
    replace (params_layer [([1], 0); ([1], - (1 / 2))]) with 3%nat in T by counted. cbn [seq map tooth_layer] in *.
    unfold params_of at 2. cbn [map list_sum fold_right]. assert (I4 : - / 4 ^ S k <> 0) by (intros Z; apply (inv4 (S k)); lra).
    replace (params_layer [([2; -4; 0], 0); ([- / 4 ^ S k; 0; 1], 0)]) with 4%nat by counted. lia.
Qed.
(** A branch: its two rows, then 7 m + 1. *)
Lemma hidden_branch3 m r : (1 <= m)%nat -> exists l ls, hidden (branch3 m r) = l :: ls /\ l = merge [([1], 0); ([-1], 0)] [(r, 0)] /\
  params_of ls = (7 * m + 1)%nat /\ exists q, readout (branch3 m r) = [(q, 0)] /\ count q = 2%nat.
Proof.
  intros Hm. destruct (hidden_settled m Hm) as [ls [E [P [q [Rq Cq]]]]].
  assert (R : readout (branch3 m r) = [(q, 0)]) by (unfold branch3, compose at 1; rewrite E; exact Rq). rewrite R. unfold branch3, compose at 1. rewrite E. cbn [hidden readout].
  unfold compose, absolute, linear. cbn [hidden readout app map]. eexists _, _. split; [reflexivity|]. split; [reflexivity|]. split; [|exists q; split; auto].
  rewrite params_of_cons, P, (params_merge _ _ [2%nat]).
  - cbn [map snd]. rewrite !score_cons, score_nil. cbn [wcount dot].
    rewrite (nz_1 1), (nz_eq (1 * 0 + 0 + 0) 0), nz_0, (nz_1 (1 * 0 + 0 + - (1 / 2))) by lra. lia.
  - replace 2%nat with (count [1; 1]) by counted. apply blocks_one.
Qed.
(** A branch's two rows: twice its entries. *)
Lemma params_signs r : params_layer (merge [([1], 0); ([-1], 0)] [(r, 0)]) = (2 * count r)%nat.
Proof.
  rewrite (params_merge _ _ _ (blocks_one r 0)). cbn [map snd]. rewrite !score_cons, score_nil. cbn [wcount dot].
  rewrite (nz_1 1), (nz_1 (-1)), (nz_eq (1 * 0 + 0 + 0) 0), (nz_eq (-1 * 0 + 0 + 0) 0), nz_0 by lra. lia.
Qed.
(** A square's hidden layers. *)
Lemma hid_branch3 m r : (1 <= m)%nat -> hid (branch3 m r) = (2 * count r + 7 * m + 1)%nat.
Proof. intros Hm. destruct (hidden_branch3 m r Hm) as [l [ls [E [-> [P _]]]]]. unfold hid. rewrite E, params_of_cons, P, params_signs. lia. Qed.
(** A square's readout has two entries. *)
Lemma blocks_branch3 m r : (1 <= m)%nat -> blocks (readout (branch3 m r)) [2%nat] /\ map snd (readout (branch3 m r)) = [0].
Proof. intros Hm. destruct (hidden_branch3 m r Hm) as [_ [_ [_ [_ [_ [q [-> Cq]]]]]]]. split; auto. rewrite <- Cq. apply blocks_one. Qed.
(** The scale is not 0. *)
Lemma inv_2M M : 0 < M -> / (2 * M) <> 0.
Proof. intros H. apply Rinv_neq_0_compat. lra. Qed.
(** The first layer of the product, and the rest: 21 m + 9, then a readout of three. *)
Definition first3 (M : R) : layer :=
  merge [([1], 0); ([-1], 0)] [([/ (2 * M); / (2 * M)], 0)] ++ merge [([1], 0); ([-1], 0)] [([/ (2 * M); 0], 0)] ++ merge [([1], 0); ([-1], 0)] [([0; / (2 * M)], 0)].
(** First layers in parallel, and the others. *)
Lemma hidden_parallel f g a fs b gs : hidden f = a :: fs -> hidden g = b :: gs -> length fs = length gs ->
  exists hs, hidden (parallel f g) = (a ++ b) :: hs /\ params_of hs = (params_of fs + params_of gs)%nat.
Proof.
  intros F G L. unfold parallel. rewrite F, G. pose proof (params_diags_hidden fs gs (length a) (readout f) (readout g) L) as P.
  destruct (diags (length a) fs gs (readout f) (readout g)) as [h o]. exists h. split; [reflexivity | exact P].
Qed.
(** The product's layers, counted. *)
Theorem hidden_yarotsky m M : (1 <= m)%nat -> 0 < M -> exists ls r, hidden (yarotsky m M) = first3 M :: ls /\ params_of ls = (21 * m + 9)%nat /\
  readout (yarotsky m M) = [(r, 0)] /\ count r = 3%nat.
Proof.
  intros Hm HM. destruct (hidden_branch3 m [/ (2 * M); / (2 * M)] Hm) as [l1 [s1 [E1 [-> [P1 _]]]]].
  destruct (hidden_branch3 m [/ (2 * M); 0] Hm) as [l2 [s2 [E2 [-> [P2 _]]]]]. destruct (hidden_branch3 m [0; / (2 * M)] Hm) as [l3 [s3 [E3 [-> [P3 _]]]]].
  assert (D1 : length s1 = (m + 1)%nat) by (pose proof (depth_branch3 m [/ (2 * M); / (2 * M)]) as Q; unfold depth in Q; rewrite E1 in Q; simpl in Q; lia).
  assert (D2 : length s2 = (m + 1)%nat) by (pose proof (depth_branch3 m [/ (2 * M); 0]) as Q; unfold depth in Q; rewrite E2 in Q; simpl in Q; lia).
  assert (D3 : length s3 = (m + 1)%nat) by (pose proof (depth_branch3 m [0; / (2 * M)]) as Q; unfold depth in Q; rewrite E3 in Q; simpl in Q; lia).
  destruct (hidden_parallel _ _ _ _ _ _ E2 E3 ltac:(lia)) as [h [Eh Ph]].
  assert (Dh : length h = (m + 1)%nat).
  { assert (Q : depth (parallel (branch3 m [/ (2 * M); 0]) (branch3 m [0; / (2 * M)])) = (m + 2)%nat) by (rewrite depth_parallel; now rewrite !depth_branch3).
    unfold depth in Q. rewrite Eh in Q. cbn [length] in Q. unfold layer, vec in *. lia. }
  destruct (hidden_parallel _ _ _ _ _ _ E1 Eh ltac:(etransitivity; [exact D1 | symmetry; exact Dh])) as [k [Ek Pk]].
  destruct (blocks_branch3 m [/ (2 * M); / (2 * M)] Hm) as [B1 Z1]. destruct (blocks_branch3 m [/ (2 * M); 0] Hm) as [B2 Z2]. destruct (blocks_branch3 m [0; / (2 * M)] Hm) as [B3 Z3].
  destruct (wf_branch3 m [/ (2 * M); / (2 * M)] Hm (le_n _)) as [W1 _]. destruct (wf_branch3 m [/ (2 * M); 0] Hm (le_n _)) as [W2 _].
  assert (N : forall r, depth (branch3 m r) <> 0%nat) by (intros; rewrite depth_branch3; lia).
  set (g := parallel (branch3 m [/ (2 * M); 0]) (branch3 m [0; / (2 * M)])) in *.
  assert (Bg : blocks (readout g) ([2] ++ [2])%nat) by (apply (blocks_parallel _ _ 2); auto; now rewrite !depth_branch3).
  assert (Zg : map snd (readout g) = [0; 0]) by (destruct (readout_parallel _ (branch3 m [0; / (2 * M)]) 2 W2 ltac:(now rewrite !depth_branch3) (N _)) as [n [_ R]];
    fold g in R; rewrite R, map_snd_diag, Z2, Z3; reflexivity).
  assert (Eg : depth (branch3 m [/ (2 * M); / (2 * M)]) = depth g) by (unfold g; rewrite depth_parallel; now rewrite !depth_branch3).
  assert (Bs : blocks (readout (squares3 m M)) ([2] ++ [2] ++ [2])%nat) by (unfold squares3; fold g; now apply (blocks_parallel _ _ 2)).
  assert (Zs : map snd (readout (squares3 m M)) = [0; 0; 0]) by (unfold squares3; fold g; destruct (readout_parallel _ g 2 W1 Eg (N _)) as [n [_ R]]; rewrite R, map_snd_diag, Z1, Zg; reflexivity).
  unfold yarotsky. set (h2 := compose (carry 3 1) (squares3 m M)).
  assert (H2 : hidden h2 = first3 M :: k ++ [merge (ident 3) (readout (squares3 m M))] /\ readout h2 = ident 3).
  { unfold h2, compose. cbn [carry repeat hidden readout]. unfold squares3 at 1. fold g. rewrite Ek. split; reflexivity. }
  destruct H2 as [H2 R2]. eexists _, _. unfold compose at 1. cbn [linear hidden]. rewrite H2. split; [reflexivity|]. split.
  - rewrite params_of_app, Pk, P1, Ph, P2, P3. unfold params_of. cbn [map list_sum fold_right]. rewrite (params_merge _ _ _ Bs), Zs, score_ident by reflexivity.
    unfold count. cbn [app list_sum fold_right map]. rewrite nz_0. lia.
  - unfold compose. cbn [linear hidden readout map]. rewrite R2. split.
    + unfold merge. cbn [map fst snd]. f_equal. f_equal. unfold ident. cbn [seq map dot fst snd]. lra.
    + destruct (blocks_ident 3) as [_ Bi]. rewrite Bi. cbn [wcount repeat]. rewrite !nz_1 by nra. reflexivity.
Qed.
(** Three squares. *)
Theorem params_yarotsky m M : (1 <= m)%nat -> 0 < M -> params (yarotsky m M) = (21 * m + 20)%nat.
Proof.
  intros Hm HM. destruct (hidden_yarotsky m M Hm HM) as [ls [r [E [P [R C]]]]]. rewrite params_split. unfold hid, out. rewrite E, R, params_of_cons, P.
  unfold first3. rewrite !params_layer_app, !params_signs. pose proof (inv_2M M HM). rewrite !count_cons, !nz_1, nz_0 by auto.
  unfold params_layer. cbn [map list_sum fold_right fst snd]. rewrite nz_0, C. unfold count. cbn [map list_sum fold_right]. lia.
Qed.
(** Two squares. *)
Theorem params_multiplication m M : (1 <= m)%nat -> 0 < M -> params (multiplication m M) = (14 * m + 16)%nat.
Proof.
  intros Hm HM. pose proof (inv_2M M HM) as I. unfold multiplication.
  change (branch m M 1) with (branch3 m [/ (2 * M); 1 / (2 * M)]). change (branch m M (-1)) with (branch3 m [/ (2 * M); -1 / (2 * M)]).
  set (f := branch3 m [/ (2 * M); 1 / (2 * M)]). set (g := branch3 m [/ (2 * M); -1 / (2 * M)]).
  assert (E : depth f = depth g) by (unfold f, g; now rewrite !depth_branch3). assert (N : depth f <> 0%nat) by (unfold f; rewrite depth_branch3; lia).
  destruct (wf_branch3 m [/ (2 * M); 1 / (2 * M)] Hm (le_n _)) as [W _]. destruct (blocks_branch3 m [/ (2 * M); 1 / (2 * M)] Hm) as [B1 Z1]. destruct (blocks_branch3 m [/ (2 * M); -1 / (2 * M)] Hm) as [B2 Z2].
  assert (Bp : blocks (readout (parallel f g)) ([2] ++ [2])%nat) by (now apply (blocks_parallel _ _ 2)).
  assert (Zp : map snd (readout (parallel f g)) = [0; 0]) by (destruct (readout_parallel f g 2 W E N) as [n [_ R]]; rewrite R, map_snd_diag; unfold f, g; rewrite Z1, Z2; reflexivity).
  destruct (hid_compose (carry 2 1) (parallel f g) (ident 2) [] eq_refl) as [H1 R1]. set (h := compose (carry 2 1) (parallel f g)) in *.
  destruct (hid_compose0 (linear [[M ^ 2; - M ^ 2]]) h eq_refl) as [H2 R2]. rewrite params_split. unfold out. rewrite H2, R2, H1, R1.
  rewrite hid_parallel by auto. unfold f at 1, g at 1. rewrite !hid_branch3 by auto. rewrite (params_merge _ _ _ Bp), Zp, score_ident by reflexivity.
  change (readout (carry 2 1)) with (ident 2). rewrite (params_merge _ _ _ (blocks_ident 2)). change (map snd (ident 2)) with [0; 0]. cbn [linear readout map].
  rewrite score_cons, score_nil. cbn [wcount repeat dot]. assert (0 < M ^ 2) by nra. rewrite (nz_1 (M ^ 2)), (nz_1 (- M ^ 2)), (nz_eq (_ + 0) 0), nz_0 by lra.
  assert (I1 : 1 / (2 * M) <> 0) by (unfold Rdiv; lra). assert (I2 : -1 / (2 * M) <> 0) by (unfold Rdiv; lra).
  rewrite !count_cons, !nz_1, nz_0 by auto. unfold count. cbn [app list_sum fold_right map params_of]. lia.
Qed.
