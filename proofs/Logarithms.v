(** The natural logarithm, inverse of the standard library's exp ([exp_log], [log_exp]), and real powers: the library's own ln and Rpower
    rest, through the mean value theorem, on an axiom more (excluded middle) than its real numbers. *)
From Coq Require Import Reals Lra Lia.
Local Open Scope R_scope.

(** * exp *)
(** Bernoulli's inequality *)
Lemma bernoulli_pow u n : -1 <= u -> 1 + INR n * u <= (1 + u) ^ n.
Proof.
  intros U. induction n; [simpl; lra|]. rewrite S_INR. cbn [pow]. pose proof (pos_INR n).
  assert ((1 + u) * (1 + INR n * u) <= (1 + u) * (1 + u) ^ n) by (apply Rmult_le_compat_l; lra). nra.
Qed.
Lemma exp_times n a : exp a ^ n = exp (INR n * a).
Proof.
  induction n; [simpl; now rewrite Rmult_0_l, exp_0|]. rewrite S_INR. simpl. rewrite IHn, <- exp_plus. f_equal. ring.
Qed.
(** 1 + x <= exp x, from the derivative at 0 and exp x = exp (x/n)^n *)
Lemma exp_above x : 1 + x <= exp x.
Proof.
  destruct (Req_dec x 0) as [->|X]; [rewrite exp_0; lra|]. destruct (Rle_lt_dec (1 + x) (exp x)) as [|L]; auto. exfalso.
  assert (Ax : 0 < Rabs x) by now apply Rabs_pos_lt.
  set (eps := Rmin 1 ((1 + x - exp x) / (2 * Rabs x))).
  assert (E0 : 0 < eps) by (apply Rmin_glb_lt; [lra | apply Rdiv_lt_0_compat; lra]).
  assert (E1 : eps <= 1) by apply Rmin_l.
  assert (E2 : eps * Rabs x <= (1 + x - exp x) / 2).
  { assert (eps * Rabs x <= (1 + x - exp x) / (2 * Rabs x) * Rabs x) by (apply Rmult_le_compat_r; [lra | apply Rmin_r]).
    replace ((1 + x - exp x) / (2 * Rabs x) * Rabs x) with ((1 + x - exp x) / 2) in H by (field; lra). auto. }
  destruct (derivable_pt_lim_exp_0 eps E0) as [[delta D] Der]. simpl in Der.
  set (r := Rmin delta (1 / 2)). assert (R0 : 0 < r) by (apply Rmin_glb_lt; lra).
  destruct (archimed_cor1 (r / Rabs x)) as [n [N N0]]; [now apply Rdiv_lt_0_compat|].
  assert (Pn : 0 < INR n) by (apply lt_0_INR; lia). set (h := x / INR n).
  assert (Eh : Rabs h = Rabs x * / INR n).
  { unfold h, Rdiv. rewrite Rabs_mult. f_equal. apply Rabs_pos_eq. left. now apply Rinv_0_lt_compat. }
  assert (Hr : Rabs h < r).
  { rewrite Eh. apply Rmult_lt_compat_l with (r := Rabs x) in N; auto. replace (Rabs x * (r / Rabs x)) with r in N by (field; lra). auto. }
  assert (Hd : Rabs h < delta) by (pose proof (Rmin_l delta (1 / 2)); fold r in H; lra).
  assert (Hh : Rabs h < 1 / 2) by (pose proof (Rmin_r delta (1 / 2)); fold r in H; lra).
  assert (H0 : h <> 0) by (unfold h; intros Z; apply X; replace x with (x / INR n * INR n) by (field; lra); rewrite Z; ring).
  specialize (Der h H0 Hd). rewrite Rplus_0_l, exp_0 in Der.
  assert (B : h - eps * Rabs h <= exp h - 1).
  { replace ((exp h - 1) / h - 1) with ((exp h - 1 - h) * / h) in Der by (field; auto). rewrite Rabs_mult in Der.
    assert (Ah : 0 < Rabs h) by now apply Rabs_pos_lt. apply Rmult_lt_compat_r with (r := Rabs h) in Der; auto.
    rewrite Rmult_assoc, <- Rabs_mult, Rinv_l, Rabs_R1 in Der by auto. unfold Rabs in Der at 1. destruct Rcase_abs in Der; lra. }
  assert (U : -1 <= h - eps * Rabs h).
  { assert (eps * Rabs h <= Rabs h) by (rewrite <- (Rmult_1_l (Rabs h)) at 2; apply Rmult_le_compat_r; [apply Rabs_pos | auto]).
    unfold Rabs in *. destruct (Rcase_abs h); lra. }
  pose proof (bernoulli_pow (h - eps * Rabs h) n U) as Q.
  assert (P : (1 + (h - eps * Rabs h)) ^ n <= exp h ^ n) by (apply pow_incr; lra).
  rewrite exp_times in P. replace (INR n * h) with x in P by (unfold h; field; lra).
  replace (INR n * (h - eps * Rabs h)) with (x - eps * Rabs x) in Q by (rewrite Eh; unfold h; field; lra). lra.
Qed.
Lemma exp_lt a b : a < b -> exp a < exp b.
Proof.
  intros H. assert (P : 1 < exp (b - a)) by (pose proof (exp_above (b - a)); lra). pose proof (exp_pos a).
  apply Rmult_lt_compat_l with (r := exp a) in P; auto. rewrite <- exp_plus in P. replace (a + (b - a)) with b in P by ring. lra.
Qed.
Lemma exp_lt_back a b : exp a < exp b -> a < b.
Proof. intros H. destruct (Rtotal_order a b) as [|[->|L]]; auto; [lra|]. apply exp_lt in L. lra. Qed.
Lemma exp_same a b : exp a = exp b -> a = b.
Proof. intros H. destruct (Rtotal_order a b) as [L|[|L]]; auto; apply exp_lt in L; lra. Qed.

(** * log *)
Lemma log_exists_1 y : 1 <= y -> {z : R | exp z = y}.
Proof.
  intros Y. assert (C : continuity (exp - fct_cte y)).
  { apply continuity_minus; apply derivable_continuous; [apply derivable_exp | apply derivable_const]. }
  destruct (IVT_cor (exp - fct_cte y)%F 0 y C) as [z [_ Z]]; [lra| |].
  - unfold minus_fct, fct_cte. rewrite exp_0. pose proof (exp_above y). nra.
  - exists z. unfold minus_fct, fct_cte in Z. lra.
Qed.
Lemma log_exists y : 0 < y -> {z : R | exp z = y}.
Proof.
  intros Y. destruct (Rle_dec 1 y) as [L|N]; [now apply log_exists_1|].
  destruct (log_exists_1 (/ y)) as [z Z]; [rewrite <- Rinv_1; apply Rinv_le_contravar; lra|].
  exists (- z). rewrite exp_Ropp, Z. apply Rinv_inv.
Qed.
(** the z with exp z = y; 0 for y <= 0 *)
Definition log (y : R) : R := match Rlt_dec 0 y with left H => proj1_sig (log_exists y H) | right _ => 0 end.
Theorem exp_log y : 0 < y -> exp (log y) = y.
Proof. intros Y. unfold log. destruct Rlt_dec as [H|]; [|lra]. exact (proj2_sig (log_exists y H)). Qed.
Theorem log_exp x : log (exp x) = x.
Proof. apply exp_same. apply exp_log, exp_pos. Qed.
Lemma log_1 : log 1 = 0.
Proof. rewrite <- exp_0. apply log_exp. Qed.
Lemma log_mult a b : 0 < a -> 0 < b -> log (a * b) = log a + log b.
Proof. intros. apply exp_same. rewrite exp_plus, !exp_log; auto. now apply Rmult_lt_0_compat. Qed.
Lemma log_inv a : 0 < a -> log (/ a) = - log a.
Proof. intros. apply exp_same. rewrite exp_Ropp, !exp_log; auto. now apply Rinv_0_lt_compat. Qed.
Lemma log_lt a b : 0 < a -> a < b -> log a < log b.
Proof. intros. apply exp_lt_back. rewrite !exp_log; lra. Qed.
Lemma log_below t : 0 < t -> log t <= t - 1.
Proof. intros H. pose proof (exp_above (log t)). rewrite exp_log in *; lra. Qed.

(** * real powers of positive numbers *)
Definition rpow (a p : R) : R := exp (p * log a).
Lemma rpow_pos a p : 0 < rpow a p.
Proof. apply exp_pos. Qed.
Lemma rpow_mult a b p : 0 < a -> 0 < b -> rpow (a * b) p = rpow a p * rpow b p.
Proof. intros. unfold rpow. rewrite log_mult, <- exp_plus by auto. f_equal. ring. Qed.
Lemma rpow_rpow a p q : rpow (rpow a p) q = rpow a (p * q).
Proof. unfold rpow. rewrite log_exp. f_equal. ring. Qed.
Lemma rpow_1 a : 0 < a -> rpow a 1 = a.
Proof. intros. unfold rpow. rewrite Rmult_1_l. now apply exp_log. Qed.
Lemma rpow_of_1 p : rpow 1 p = 1.
Proof. unfold rpow. rewrite log_1, Rmult_0_r. apply exp_0. Qed.
Lemma rpow_le a b p : 0 <= p -> 0 < a <= b -> rpow a p <= rpow b p.
Proof.
  intros P [A [L| ->]]; [|lra]. unfold rpow. destruct P as [P| <-]; [|rewrite !Rmult_0_l; lra].
  left. apply exp_lt, Rmult_lt_compat_l; auto. now apply log_lt.
Qed.
(** whole powers *)
Lemma rpow_INR a n : 0 < a -> rpow a (INR n) = a ^ n.
Proof. intros. unfold rpow. rewrite <- exp_times. now rewrite exp_log. Qed.
