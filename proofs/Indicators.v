(** f_S from any indicators, for all N, D and K: its value on the training balls, outside the outer balls and between;
    l_inf balls with the lean indicator. *)
From Coq Require Import Reals Lra List Lia Arith ZArith.
From CGRO Require Import Networks.
Import ListNotations.
Open Scope R_scope.

(** * l_inf balls *)
Definition in_ball (c : vec) (r : R) (x : vec) := Forall2 (fun a v => Rabs (v - a) <= r) c x.
(** outside the open ball: some coordinate is at least r away *)
Definition outside (c : vec) (r : R) (x : vec) := exists j, (j < length c)%nat /\ r <= Rabs (nth j x 0 - nth j c 0).

(** * the lean indicator *)
Fixpoint excess (inner : R) (c x : vec) : R :=
  match c, x with a :: c', v :: x' => relu (Rabs (v - a) - inner) + excess inner c' x' | _, _ => 0 end.
Definition indicator (inner outer : R) (c x : vec) : R := relu (1 - excess inner c x / (outer - inner)).

Lemma excess_ge0 inner c : forall x, 0 <= excess inner c x.
Proof. induction c; intros [|v x]; simpl; try lra. pose proof (relu_ge0 (Rabs (v - a) - inner)). specialize (IHc x). lra. Qed.
Lemma excess_ball inner c x : in_ball c inner x -> excess inner c x = 0.
Proof. induction 1; simpl; auto. rewrite relu_neg; lra. Qed.
Lemma excess_outside inner outer c : forall x, length x = length c -> outside c outer x -> outer - inner <= excess inner c x.
Proof.
  induction c as [|a c IH]; intros [|v x] L [j [J H]]; simpl in *; try lia.
  pose proof (relu_ge0 (Rabs (v - a) - inner)). pose proof (excess_ge0 inner c x).
  destruct j; simpl in H.
  - relus; lra.
  - assert (outside c outer x) by (exists j; split; auto; lia). specialize (IH x ltac:(lia) H2). lra.
Qed.
Lemma indicator_1 inner outer c x : in_ball c inner x -> indicator inner outer c x = 1.
Proof. intros H. unfold indicator. rewrite excess_ball by auto. unfold Rdiv. rewrite Rmult_0_l, relu_pos; lra. Qed.
Lemma indicator_0 inner outer c x : inner < outer -> length x = length c -> outside c outer x -> indicator inner outer c x = 0.
Proof.
  intros I L H. unfold indicator. apply relu_neg. pose proof (excess_outside inner outer c x L H).
  assert (0 < / (outer - inner)) by (apply Rinv_0_lt_compat; lra).
  assert ((outer - inner) * / (outer - inner) = 1) by (apply Rinv_r; lra). unfold Rdiv. nra.
Qed.
Lemma indicator_ge0 inner outer c x : 0 <= indicator inner outer c x.
Proof. apply relu_ge0. Qed.
Lemma in_ball_le c r r' x : r <= r' -> in_ball c r x -> in_ball c r' x.
Proof. intros H. induction 1; constructor; auto. lra. Qed.
Lemma in_ball_length c r x : in_ball c r x -> length x = length c.
Proof. induction 1; simpl; auto. Qed.
(** separation of the centres moves to the points of a ball *)
Lemma outside_ball c c' delta outer x : in_ball c delta x -> length c' = length c -> outside c' (outer + delta) c -> outside c' outer x.
Proof.
  intros B L [j [J H]]. exists j. split; auto.
  assert (D : Rabs (nth j x 0 - nth j c 0) <= delta).
  { clear H. rewrite L in J. clear L. revert j J. induction B; intros [|j] J; simpl in *; try lia; auto. apply IHB; lia. }
  unfold Rabs in *; repeat destruct Rcase_abs; lra.
Qed.

(** * the gate and f_S, function level; class c of K >= 1 classes, or two signs *)
Definition gate (B v s : R) : R := relu (v - B * (1 - s)) - relu (- v - B * (1 - s)).
Lemma gate_1 B v : gate B v 1 = v.
Proof. unfold gate. relus; lra. Qed.
Lemma gate_0 B v : Rabs v <= B -> gate B v 0 = 0.
Proof. unfold gate, Rabs; destruct Rcase_abs; intros; relus; lra. Qed.

Section Memo.
Variables (ind : vec -> vec -> R) (B : R). (* indicator of the ball around a centre, at x *)
Hypothesis ind_ge0 : forall c x, 0 <= ind c x.
Definition data := list (vec * nat). (* centres and classes *)
Definition total (S : data) (k : nat) (x : vec) : R :=
  fold_right (fun cy t => (if Nat.eqb (snd cy) k then ind (fst cy) x else 0) + t) 0 S.
Definition capped (S : data) (k : nat) (x : vec) : R := 1 - relu (1 - total S k x). (* min(1, total) *)
Fixpoint sum (n : nat) (f : nat -> R) : R := match n with O => 0 | S n' => sum n' f + f n' end.
(** K classes: output k *)
Definition f_S (K : nat) (clean : vec -> nat -> R) (S : data) (x : vec) (k : nat) : R :=
  gate B (clean x k) (1 - sum K (fun c => capped S c x)) + capped S k x.
(** labels +1 (class 0) and -1 (class 1) *)
Definition f_S2 (clean : vec -> R) (S : data) (x : vec) : R :=
  gate B (clean x) (1 - (capped S 0 x + capped S 1 x)) + (capped S 0 x - capped S 1 x).
Definition sign_of (y : nat) : R := if Nat.eqb y 0 then 1 else -1.

Lemma total_ge0 S k x : 0 <= total S k x.
Proof.
  induction S as [|[c y] S IH]; simpl; [lra|]. pose proof (ind_ge0 c x). destruct Nat.eqb; lra.
Qed.
Lemma total_far S k x : (forall c y, In (c, y) S -> y = k -> ind c x = 0) -> total S k x = 0.
Proof.
  clear ind_ge0. induction S as [|[c y] S IH]; simpl; intros H; auto. rewrite IH; [|intros; eapply H; eauto].
  destruct (Nat.eqb_spec y k); [rewrite (H c y); auto; lra | lra].
Qed.
Lemma total_near S c k x : In (c, k) S -> ind c x = 1 -> 1 <= total S k x.
Proof.
  induction S as [|[c' y] S IH]; simpl; intros H E; [tauto|].
  pose proof (total_ge0 S k x). pose proof (ind_ge0 c' x). destruct H as [H|H].
  - inversion H; subst. rewrite Nat.eqb_refl, E. lra.
  - specialize (IH H E). destruct Nat.eqb; lra.
Qed.
Lemma capped_0 S k x : total S k x = 0 -> capped S k x = 0.
Proof. intros H; unfold capped. rewrite H, relu_pos; lra. Qed.
Lemma capped_1 S k x : 1 <= total S k x -> capped S k x = 1.
Proof. intros H; unfold capped. rewrite relu_neg; lra. Qed.
Lemma capped_range S k x : 0 <= capped S k x <= 1.
Proof. unfold capped. pose proof (total_ge0 S k x). relus; lra. Qed.
Lemma sum_0 n f : (forall c, (c < n)%nat -> f c = 0) -> sum n f = 0.
Proof. induction n; simpl; intros H; auto. rewrite IHn, (H n); auto; lra. Qed.
Lemma sum_1 n f k : (k < n)%nat -> f k = 1 -> (forall c, (c < n)%nat -> c <> k -> f c = 0) -> sum n f = 1.
Proof.
  induction n; simpl; intros K E H; [lia|]. destruct (Nat.eq_dec k n) as [->|N].
  - rewrite sum_0, E; [lra|]. intros; apply H; lia.
  - rewrite IHn, (H n); auto; try lia; lra.
Qed.

Variable S : data.
(** x is covered by a ball of class y alone *)
Definition covered (x : vec) (c : vec) (y : nat) :=
  In (c, y) S /\ ind c x = 1 /\ forall c' y', In (c', y') S -> y' <> y -> ind c' x = 0.
Lemma capped_on_ball c y x k : covered x c y -> capped S k x = if Nat.eqb k y then 1 else 0.
Proof.
  intros [I [E H]]. destruct (Nat.eqb_spec k y) as [->|N].
  - apply capped_1. now apply (total_near S c).
  - apply capped_0, total_far. intros c' y' I' ->. eauto.
Qed.
Theorem f_S_on_ball K clean c y x k : covered x c y -> (y < K)%nat -> Rabs (clean x k) <= B ->
  f_S K clean S x k = if Nat.eqb k y then 1 else 0.
Proof.
  intros C Y Hb. unfold f_S.
  rewrite (sum_1 K _ y); [| exact Y | rewrite (capped_on_ball c y) by auto; now rewrite Nat.eqb_refl |].
  - rewrite (capped_on_ball c y) by auto. replace (1 - 1) with 0 by lra. rewrite gate_0 by auto. lra.
  - intros c' _ N. rewrite (capped_on_ball c y) by auto. now apply Nat.eqb_neq in N as ->.
Qed.
Theorem f_S_outside K clean x k : (forall c y, In (c, y) S -> ind c x = 0) -> f_S K clean S x k = clean x k.
Proof.
  intros O. assert (Z : forall k, capped S k x = 0) by (intros; apply capped_0, total_far; eauto).
  unfold f_S. rewrite sum_0, Z by auto. replace (1 - 0) with 1 by lra. rewrite gate_1. lra.
Qed.
Theorem f_S2_on_ball clean c y x : covered x c y -> (y < 2)%nat -> Rabs (clean x) <= B -> f_S2 clean S x = sign_of y.
Proof.
  intros C Y Hb. unfold f_S2. rewrite !(capped_on_ball c y) by auto. unfold sign_of.
  destruct y as [|[|y]]; [| | lia]; simpl; [replace (1 - (1 + 0)) with 0 by lra | replace (1 - (0 + 1)) with 0 by lra];
    rewrite gate_0 by auto; lra.
Qed.
Theorem f_S2_outside clean x : (forall c y, In (c, y) S -> ind c x = 0) -> f_S2 clean S x = clean x.
Proof.
  intros O. assert (Z : forall k, capped S k x = 0) by (intros; apply capped_0, total_far; eauto).
  unfold f_S2. rewrite !Z. replace (1 - (0 + 0)) with 1 by lra. rewrite gate_1. lra.
Qed.
(** Between: only class y's indicators are not 0, and the sign is that of y or of f_clean, or f_S is 0. *)
Theorem f_S2_between clean x y : 0 <= B -> (y < 2)%nat -> (forall c' y', In (c', y') S -> y' <> y -> ind c' x = 0) ->
  (0 < f_S2 clean S x -> y = 0%nat \/ 0 < clean x) /\ (f_S2 clean S x < 0 -> y = 1%nat \/ clean x < 0).
Proof.
  intros HB Y H. assert (Z : forall k, k <> y -> capped S k x = 0).
  { intros k N. apply capped_0, total_far. intros c' y' I ->. eauto. }
  unfold f_S2, gate. pose proof (capped_range S 0 x). pose proof (capped_range S 1 x).
  destruct y as [|[|y]]; [| | lia].
  - rewrite (Z 1%nat) by lia. split; auto. intros N. right. set (s := capped S 0 x) in *. assert (0 <= B * s) by nra. relus; lra.
  - rewrite (Z 0%nat) by lia. split; auto. intros N. right. set (s := capped S 1 x) in *. assert (0 <= B * s) by nra. relus; lra.
Qed.
End Memo.

(** * l_inf balls, lean indicators *)
Section Linf.
Variables (inner outer delta : R) (S : data) (D : nat).
Hypotheses (Hd : delta <= inner) (Hio : inner < outer).
Hypothesis dims : forall c y, In (c, y) S -> length c = D.
(** centres of different classes are at least outer + delta apart *)
Definition separated := forall c y c' y', In (c, y) S -> In (c', y') S -> y <> y' -> outside c' (outer + delta) c.
Theorem linf_covered c y x : separated -> In (c, y) S -> in_ball c delta x -> covered (indicator inner outer) S x c y.
Proof.
  intros Sep I Bx. assert (L : length x = D) by (rewrite (in_ball_length _ _ _ Bx); eauto). repeat split; auto.
  - apply indicator_1. eapply in_ball_le; eauto.
  - intros c' y' I' N. apply indicator_0; auto.
    + rewrite L. symmetry. eauto.
    + apply (outside_ball c c' delta); auto; [rewrite (dims _ _ I), (dims _ _ I'); auto|]. apply (Sep c y c' y'); auto.
Qed.
Theorem linf_outside x : length x = D -> (forall c y, In (c, y) S -> outside c outer x) -> forall c y, In (c, y) S -> indicator inner outer c x = 0.
Proof. intros L O c y I. apply indicator_0; eauto. rewrite L. symmetry; eauto. Qed.
End Linf.
