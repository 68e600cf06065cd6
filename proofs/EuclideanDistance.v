(** l_2 balls: squared distances with one-sided error, soft indicators, f_S. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Squaring Indicators.
Import ListNotations.
Open Scope R_scope.

Fixpoint d2 (c x : vec) : R := match c, x with a :: c', v :: x' => (v - a) ^ 2 + d2 c' x' | _, _ => 0 end.
Definition unit (x : vec) := Forall (fun v => 0 <= v <= 1) x.
(** sum_j f_m(|x_j - c_j|), and with shared squares sum_j f_m(x_j) - 2 <c, x> + ||c||^2 *)
Fixpoint phi (m : nat) (c x : vec) : R :=
  match c, x with a :: c', v :: x' => sq m (Rabs (v - a)) + phi m c' x' | _, _ => 0 end.
Fixpoint sum_sq (m : nat) (x : vec) : R := match x with [] => 0 | v :: x' => sq m v + sum_sq m x' end.
Definition phi_shared (m : nat) (c x : vec) : R := sum_sq m x - 2 * dot c x + dot c c.

Theorem phi_error m : forall c x, length x = length c -> unit c -> unit x ->
  0 <= phi m c x - d2 c x <= INR (length c) * / 4 ^ (m + 1).
Proof.
  induction c as [|a c IH]; intros [|v x] L C X; cbn [length] in *; try lia; [simpl; lra|].
  inversion C; inversion X; subst. specialize (IH x ltac:(lia) H2 H6). cbn [phi d2]. rewrite S_INR.
  assert (A : 0 <= Rabs (v - a) <= 1) by (unfold Rabs; destruct Rcase_abs; lra).
  pose proof (sq_error m _ A) as E. rewrite pow2_abs in E. lra.
Qed.
Theorem phi_shared_error m : forall c x, length x = length c -> unit x ->
  0 <= phi_shared m c x - d2 c x <= INR (length c) * / 4 ^ (m + 1).
Proof.
  unfold phi_shared. induction c as [|a c IH]; intros [|v x] L X; cbn [length] in *; try lia; [simpl; lra|].
  inversion X; subst. specialize (IH x ltac:(lia) H2). cbn [sum_sq d2 dot]. rewrite S_INR.
  pose proof (sq_error m _ H1) as E. lra.
Qed.

(** * soft indicator *)
Definition soft (a b t : R) : R := (relu (b - t) - relu (a - t)) / (b - a).
Lemma soft_1 a b t : a < b -> t <= a -> soft a b t = 1.
Proof. intros. unfold soft. rewrite !relu_pos by lra. field. lra. Qed.
Lemma soft_0 a b t : a < b -> b <= t -> soft a b t = 0.
Proof. intros. unfold soft. rewrite !relu_neg by lra. field. lra. Qed.
Lemma soft_ge0 a b t : a < b -> 0 <= soft a b t.
Proof.
  intros. unfold soft. assert (0 < / (b - a)) by (apply Rinv_0_lt_compat; lra). unfold Rdiv. apply Rmult_le_pos; [relus; lra | lra].
Qed.

(** * separation, without Cauchy-Schwarz: (u + v)^2 <= (1 + s) u^2 + (1 + 1/s) v^2 in each coordinate *)
Lemma d2_ge0 c : forall x, 0 <= d2 c x.
Proof. induction c; intros [|v x]; cbn [d2]; try lra. pose proof (pow2_ge_0 (v - a)). specialize (IHc x). lra. Qed.
Lemma d2_split s c' : 0 < s -> forall c x, length c = length c' -> length x = length c' ->
  d2 c' c <= (1 + s) * d2 c' x + (1 + / s) * d2 c x.
Proof.
  intros S. assert (I : 0 < / s) by now apply Rinv_0_lt_compat.
  induction c' as [|a c' IH]; intros [|b c] [|v x] L M; simpl length in *; try lia; cbn [d2]; [lra|].
  specialize (IH c x ltac:(lia) ltac:(lia)).
  assert ((b - a) ^ 2 <= (1 + s) * (v - a) ^ 2 + (1 + / s) * (v - b) ^ 2); [|lra].
  assert (0 <= s * ((v - a) + / s * (v - b)) ^ 2) by (apply Rmult_le_pos; [lra | apply pow2_ge_0]).
  replace (s * (v - a + / s * (v - b)) ^ 2) with (s * (v - a) ^ 2 + 2 * (v - a) * (v - b) + / s * (v - b) ^ 2) in H by (field; lra).
  lra.
Qed.
Lemma d2_far delta outer c c' x : 0 < outer -> 0 <= delta -> length c = length c' -> length x = length c' ->
  d2 c x <= delta ^ 2 -> (outer + delta) ^ 2 <= d2 c' c -> outer ^ 2 <= d2 c' x.
Proof.
  intros O D L M B S. destruct (Req_EM_T delta 0) as [->|N].
  - assert (E : c = x).
    { clear S O. rewrite <- M in L. clear M. revert x L B. induction c as [|a c IH]; intros [|v x] L B; simpl length in *; try lia; auto.
      cbn [d2] in B. pose proof (d2_ge0 c x). pose proof (pow2_ge_0 (v - a)). f_equal; [|apply IH; try lia; lra].
      assert ((v - a) ^ 2 = 0) by lra. nra. }
    subst. lra.
  - assert (0 < delta) by lra. assert (Sp : 0 < delta / outer) by (apply Rdiv_lt_0_compat; auto).
    pose proof (d2_split (delta / outer) c' Sp c x L M) as H0.
    assert (Q : (outer + delta) ^ 2 <= (1 + delta / outer) * d2 c' x + (1 + outer / delta) * delta ^ 2).
    { replace (/ (delta / outer)) with (outer / delta) in H0 by (field; lra).
      assert (0 < outer / delta) by (apply Rdiv_lt_0_compat; auto). nra. }
    replace ((1 + outer / delta) * delta ^ 2) with (delta ^ 2 + outer * delta) in Q by (field; lra).
    assert (R : (1 + delta / outer) * outer ^ 2 <= (1 + delta / outer) * d2 c' x).
    { replace ((1 + delta / outer) * outer ^ 2) with (outer ^ 2 + outer * delta) by (field; lra). lra. }
    apply Rmult_le_reg_l in R; auto. lra.
Qed.

(** * f_S, l_2 (either way to measure): thresholds a >= delta^2 + D 4^-(m+1) and b <= outer^2 of the squared distance *)
Section L2.
Variables (distance : vec -> vec -> R) (e : R) (D : nat).
Hypothesis one_sided : forall c x, length c = D -> length x = D -> unit c -> unit x -> 0 <= distance c x - d2 c x <= e.
Variables (a b delta outer : R) (S : data).
Hypotheses (Hab : a < b) (Ha : delta ^ 2 + e <= a) (Hb : b <= outer ^ 2) (Ho : 0 < outer) (Hd : 0 <= delta).
Hypothesis dims : forall c y, In (c, y) S -> length c = D /\ unit c.
Definition separated2 := forall c y c' y', In (c, y) S -> In (c', y') S -> y <> y' -> (outer + delta) ^ 2 <= d2 c' c.
Definition ind2 (c x : vec) : R := soft a b (distance c x).
Theorem l2_covered c y x : separated2 -> In (c, y) S -> length x = D -> unit x -> d2 c x <= delta ^ 2 -> covered ind2 S x c y.
Proof.
  intros Sep I L X Bx. destruct (dims _ _ I) as [Lc Uc]. repeat split; auto.
  - apply soft_1; auto. pose proof (one_sided c x Lc L Uc X). lra.
  - intros c' y' I' N. destruct (dims _ _ I') as [Lc' Uc']. apply soft_0; auto.
    pose proof (one_sided c' x Lc' L Uc' X).
    pose proof (d2_far delta outer c c' x Ho Hd ltac:(congruence) ltac:(congruence) Bx (Sep c y c' y' I I' ltac:(auto))). lra.
Qed.
Theorem l2_outside x : length x = D -> unit x -> (forall c y, In (c, y) S -> outer ^ 2 <= d2 c x) -> forall c y, In (c, y) S -> ind2 c x = 0.
Proof.
  intros L X O c y I. destruct (dims _ _ I) as [Lc Uc]. apply soft_0; auto. pose proof (one_sided c x Lc L Uc X). specialize (O c y I). lra.
Qed.
End L2.
(** The whole statement for K classes and either distance. *)
Theorem f_S_l2 (shared : bool) m D K B a b delta outer clean S c y x k :
  let distance := if shared then phi_shared m else phi m in
  a < b -> delta ^ 2 + INR D * / 4 ^ (m + 1) <= a -> b <= outer ^ 2 -> 0 < outer -> 0 <= delta ->
  (forall c y, In (c, y) S -> length c = D /\ unit c) -> separated2 delta outer S -> (y < K)%nat ->
  In (c, y) S -> length x = D -> unit x -> d2 c x <= delta ^ 2 -> Rabs (clean x k) <= B ->
  f_S (ind2 distance a b) B K clean S x k = if Nat.eqb k y then 1 else 0.
Proof.
  intros distance Hab Ha Hb Ho Hd dims Sep Y I L X Bx Hc.
  apply (f_S_on_ball (ind2 distance a b) B (fun _ _ => soft_ge0 a b _ Hab) S K clean c); auto.
  apply (l2_covered distance (INR D * / 4 ^ (m + 1)) D) with (delta := delta) (outer := outer); auto.
  intros c' x' L1 L2 U1 U2. unfold distance. rewrite <- L1. destruct shared; [apply phi_shared_error | apply phi_error]; auto; congruence.
Qed.
