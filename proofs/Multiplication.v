(** Multiplication by two squares, for every m and every M > 0. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Squaring.
Import ListNotations.
Open Scope R_scope.

Definition mul (m : nat) (M x y : R) : R :=
  M ^ 2 * (sq m (Rabs (x + y) / (2 * M)) - sq m (Rabs (x - y) / (2 * M))).

Lemma half_range M a : 0 < M -> Rabs a <= 2 * M -> 0 <= Rabs a / (2 * M) <= 1.
Proof.
  intros HM H. assert (0 < / (2 * M)) by (apply Rinv_0_lt_compat; lra). pose proof (Rabs_pos a).
  unfold Rdiv. split; [nra|]. apply Rmult_le_reg_r with (2 * M); [lra|]. rewrite Rmult_assoc, Rinv_l by lra. lra.
Qed.
Lemma Rabs_sum M x y : Rabs x <= M -> Rabs y <= M -> Rabs (x + y) <= 2 * M /\ Rabs (x - y) <= 2 * M.
Proof. unfold Rabs; repeat destruct Rcase_abs; intros; lra. Qed.

Theorem mul_error m M x y : 0 < M -> Rabs x <= M -> Rabs y <= M -> Rabs (mul m M x y - x * y) <= M ^ 2 * / 4 ^ (m + 1).
Proof.
  intros HM Hx Hy. destruct (Rabs_sum M x y Hx Hy) as [P Q].
  destruct (sq_error m _ (half_range M _ HM P)) as [A B], (sq_error m _ (half_range M _ HM Q)) as [C D].
  unfold mul. set (u := Rabs (x + y) / (2 * M)) in *. set (v := Rabs (x - y) / (2 * M)) in *.
  assert (E : x * y = M ^ 2 * (u ^ 2 - v ^ 2)).
  { unfold u, v, Rdiv. rewrite !Rpow_mult_distr, !pow2_abs. field. lra. }
  rewrite E. assert (0 < M ^ 2) by nra. apply Rabs_le. split; nra.
Qed.
Theorem mul_zero m M x y : x = 0 \/ y = 0 -> mul m M x y = 0.
Proof.
  unfold mul. intros [-> | ->].
  - replace (0 - y) with (- y) by lra. rewrite Rabs_Ropp, Rplus_0_l. lra.
  - rewrite Rminus_0_r, Rplus_0_r. lra.
Qed.

(** * the network *)
Definition absolute : net := Net [[([1], 0); ([-1], 0)]] [([1; 1], 0)].
Definition linear (rows : list vec) : net := Net [] (map (fun r => (r, 0)) rows).
(** As in constructions/approximation.py: readout o delay 1 (|.| then f_m, twice) o inner. *)
Definition branch (m : nat) (M s : R) : net :=
  compose (settled_squaring m) (compose absolute (linear [[/ (2 * M); s / (2 * M)]])).
Definition multiplication (m : nat) (M : R) : net :=
  compose (linear [[M ^ 2; - M ^ 2]]) (compose (carry 2 1) (parallel (branch m M 1) (branch m M (-1)))).

Lemma eval_linear rows x : eval (linear rows) x = map (fun r => dot r x) rows.
Proof. unfold eval, linear, affine; simpl. rewrite map_map. apply map_ext; intros; simpl; lra. Qed.
Lemma eval_absolute x : eval absolute [x] = [Rabs x].
Proof.
  unfold eval, absolute, run, step, affine; simpl. rewrite relu_abs.
  replace (1 * x + 0 + 0) with x by lra. replace (-1 * x + 0 + 0) with (- x) by lra. f_equal; lra.
Qed.
Lemma eval_branch m M s x y : (1 <= m)%nat -> 0 < M -> Rabs (x + s * y) <= 2 * M ->
  eval (branch m M s) [x; y] = [sq m (Rabs (x + s * y) / (2 * M))].
Proof.
  intros Hm HM H. unfold branch. rewrite !eval_compose, eval_linear. simpl map.
  replace (/ (2 * M) * x + (s / (2 * M) * y + 0)) with ((x + s * y) / (2 * M)) by (field; lra).
  rewrite eval_absolute. replace (Rabs ((x + s * y) / (2 * M))) with (Rabs (x + s * y) / (2 * M)).
  - apply eval_settled_squaring; auto. now apply half_range.
  - unfold Rdiv. rewrite Rabs_mult. f_equal. symmetry. apply Rabs_right. apply Rle_ge, Rlt_le, Rinv_0_lt_compat; lra.
Qed.

Lemma vadd_length a : forall b, length (vadd a b) = Nat.max (length a) (length b).
Proof. induction a; intros [|]; simpl; auto. Qed.
Lemma vcomb_length n r : forall ws, Forall (fun w => (length w <= n)%nat) ws -> (length (vcomb r ws) <= n)%nat.
Proof.
  induction r; intros [|w ws] H; simpl; try lia. inversion H; subst.
  rewrite vadd_length. unfold vscale; rewrite map_length. specialize (IHr ws H3). lia.
Qed.
Lemma fits_merge n l2 l1 : fits n l1 -> fits n (merge l2 l1).
Proof.
  intros H. unfold fits, merge. rewrite Forall_map. apply Forall_forall. intros [r b] _; simpl.
  apply vcomb_length. rewrite Forall_map. exact H.
Qed.
Fixpoint width (n : nat) (ls : list layer) : nat := match ls with [] => n | l :: ls' => width (length l) ls' end.
Lemma width_last ls : forall n l, width n (ls ++ [l]) = length l.
Proof. induction ls; simpl; auto. Qed.
Lemma fit_join ls : forall n o ms p, fit n ls o -> fit (width n ls) ms p -> fit n (ls ++ ms) p.
Proof. induction ls; simpl; intros; auto. destruct H; split; eauto. Qed.
Lemma fit_last ls : forall n o, fit n ls o -> fits (width n ls) o.
Proof. induction ls; simpl; intros; auto. destruct H; eauto. Qed.
Lemma wf_compose f g n : wf n g -> wf (length (readout g)) f -> wf n (compose f g).
Proof.
  destruct f as [[|l ls] o], g as [hg og]; unfold wf, compose; simpl; intros G F.
  - revert n G. induction hg; simpl; intros; [now apply fits_merge | destruct G; split; auto].
  - destruct F as [F1 F2]. eapply fit_join; [exact G|]. simpl. split.
    + apply fits_merge. eapply fit_last; eauto.
    + unfold merge. now rewrite map_length.
Qed.
Lemma depth_compose f g : depth (compose f g) = (depth f + depth g)%nat.
Proof. destruct f as [[|l ls] o]; unfold depth, compose; simpl; auto. rewrite app_length; simpl; lia. Qed.
Ltac wfs := repeat constructor; simpl; lia.
Lemma wf_settled m : (1 <= m)%nat -> wf 1 (settled_squaring m).
Proof.
  intros Hm. unfold wf, settled_squaring. cbn [hidden readout].
  destruct m as [|[|k]]; [lia | wfs |].
  assert (T : fit 1 (teeth (S (S k))) [] /\ width 1 (teeth (S (S k))) = 3%nat).
  { clear. induction k; [split; [wfs | reflexivity]|]. destruct IHk as [A B]. rewrite teeth_S. split.
    - eapply fit_join; [exact A|]. rewrite B. destruct k; wfs.
    - apply width_last. }
  destruct T as [A B]. eapply fit_join; [exact A|]. rewrite B. wfs.
Qed.
Lemma wf_branch m M s : (1 <= m)%nat -> wf 2 (branch m M s).
Proof.
  intros Hm. unfold branch. apply wf_compose; [apply wf_compose; [wfs | wfs]|]. now apply wf_settled.
Qed.

Theorem eval_multiplication m M x y : (1 <= m)%nat -> 0 < M -> Rabs x <= M -> Rabs y <= M ->
  eval (multiplication m M) [x; y] = [mul m M x y].
Proof.
  intros Hm HM Hx Hy. destruct (Rabs_sum M x y Hx Hy) as [P Q]. unfold multiplication.
  rewrite !eval_compose, (eval_parallel _ _ 2), !eval_branch; auto.
  - replace (x + 1 * y) with (x + y) by lra. replace (x + -1 * y) with (x - y) by lra. simpl app.
    rewrite eval_carry; [|reflexivity|].
    + rewrite eval_linear. simpl. f_equal. unfold mul. simpl. lra.
    + apply Forall_cons; [|apply Forall_cons; [|apply Forall_nil]]; apply sq_ge0; now apply half_range.
  - now replace (x + -1 * y) with (x - y) by lra.
  - now rewrite Rmult_1_l.
  - now apply wf_branch.
  - unfold branch. now rewrite !depth_compose.
Qed.
