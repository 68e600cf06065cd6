(** CGRO, Lemmas A.1 to A.3: sequences that grow by about m z^2 a step pass v after 3/(m z_0) + 8 (M/m) [log2(v/z_0)] steps
    ([lemma_A_1]); with sums, z_t = z_0 + A sum z_s^2 up to C <= z_0/2, after 8 ceil(log2(v/z_0)) + 21/(z_0 A) ([lemma_A_2]);
    those that fall by A z^2 stay below 1/(A (t - T)) ([lemma_A_3]).
    [growth] is sharper than A.1 and has neither M nor brackets: 1/(m z_0) + log2(v/z_0) steps are enough.
    The brackets printed in A.1 are read in any of the three usual ways: nothing, rounded down, rounded up. *)
From Coq Require Import Reals Lra Lia ZArith.
From CGRO Require Import Logarithms.
Open Scope R_scope.

Definition log2 (x : R) : R := log x / log 2.
Definition floor (x : R) : R := IZR (Int_part x).
Definition ceiling (x : R) : R := - floor (- x).
Lemma floor_range x : floor x <= x < floor x + 1.
Proof. unfold floor. pose proof (base_Int_part x). lra. Qed.
Lemma ceiling_range x : x <= ceiling x < x + 1.
Proof. unfold ceiling. pose proof (floor_range (- x)). lra. Qed.
(** A whole number above -1 is not negative. *)
Lemma floor_nonneg x : 0 <= x -> 0 <= floor x.
Proof.
  intros H. pose proof (floor_range x). unfold floor in *. apply IZR_le.
  assert (-1 < Int_part x)%Z by (apply lt_IZR; lra). lia.
Qed.
(** and one that is not 0 is at least 1 *)
Lemma floor_small x : 0 <= x -> floor x = 0 \/ 1 <= floor x.
Proof.
  intros H. pose proof (floor_nonneg x H) as N. unfold floor in *. apply le_IZR in N.
  destruct (Z.eq_dec (Int_part x) 0) as [->|E]; [left; lra | right; apply IZR_le; lia].
Qed.
Lemma floor_le_ceiling x : floor x <= ceiling x.
Proof. pose proof (floor_range x). pose proof (ceiling_range x). lra. Qed.

(** * logarithms *)
Lemma log_of_2_pos : 0 < log 2.
Proof. rewrite <- log_1. apply log_lt; lra. Qed.
Lemma log_of_2_le : log 2 <= 1.
Proof. pose proof (log_below 2). lra. Qed.
(** log (1 + x) >= x / (1 + x) *)
Lemma log_ge x : 0 <= x -> x / (1 + x) <= log (1 + x).
Proof.
  intros H. assert (0 < / (1 + x)) by (apply Rinv_0_lt_compat; lra).
  pose proof (log_below (/ (1 + x)) H0). rewrite log_inv in H1 by lra.
  replace (x / (1 + x)) with (1 - / (1 + x)) by (field; lra). lra.
Qed.
Lemma log2_ge x : 0 <= x -> x / (1 + x) <= log2 (1 + x).
Proof.
  intros H. pose proof (log_ge x H). pose proof log_of_2_pos. pose proof log_of_2_le. unfold log2.
  assert (0 <= x / (1 + x)) by (apply Rle_mult_inv_pos; lra).
  apply Rmult_le_reg_r with (log 2); auto. replace (log (1 + x) / log 2 * log 2) with (log (1 + x)) by (field; lra). nra.
Qed.
Lemma log2_mult a b : 0 < a -> 0 < b -> log2 (a * b) = log2 a + log2 b.
Proof. intros. unfold log2. rewrite log_mult by auto. pose proof log_of_2_pos. field. lra. Qed.
Lemma log2_le a b : 0 < a -> a <= b -> log2 a <= log2 b.
Proof.
  intros H L. unfold log2. pose proof log_of_2_pos. apply Rmult_le_compat_r; [left; now apply Rinv_0_lt_compat|].
  destruct L as [L| ->]; [left; now apply log_lt | lra].
Qed.
Lemma log2_lt a b : 0 < a -> a < b -> log2 a < log2 b.
Proof. intros H L. unfold log2. pose proof log_of_2_pos. apply Rmult_lt_compat_r; [now apply Rinv_0_lt_compat | now apply log_lt]. Qed.
Lemma log2_1 : log2 1 = 0.
Proof. unfold log2. rewrite log_1. unfold Rdiv. lra. Qed.
Lemma log2_2 : log2 2 = 1.
Proof. unfold log2. pose proof log_of_2_pos. field. lra. Qed.
Lemma ratio_ge1 v z : 0 < z -> z <= v -> 1 <= v / z.
Proof. intros. apply Rmult_le_reg_r with z; auto. unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. Qed.
Lemma log2_ratio_nonneg v z : 0 < z -> z <= v -> 0 <= log2 (v / z).
Proof. intros. pose proof (ratio_ge1 v z H H0). rewrite <- log2_1. apply log2_le; lra. Qed.
Lemma log2_ratio v z : 0 < z -> 0 < v -> log2 (v / z) = log2 v - log2 z.
Proof.
  intros. unfold Rdiv. rewrite log2_mult by (auto; now apply Rinv_0_lt_compat).
  unfold log2. rewrite log_inv by auto. pose proof log_of_2_pos. field. lra.
Qed.

(** * growth *)
(** The potential 1/(m z) - log2 z falls by at least 1 a step. *)
Lemma potential_step m z z' : 0 < m -> 0 < z -> z + m * z ^ 2 <= z' -> 1 <= (/ (m * z) - log2 z) - (/ (m * z') - log2 z').
Proof.
  intros M Z G. assert (X : 0 < m * z) by (apply Rmult_lt_0_compat; auto). set (x := m * z) in *.
  assert (E : z * (1 + x) <= z') by (unfold x; nra). assert (P : 0 < z * (1 + x)) by nra.
  pose proof (log2_le _ _ P E) as L. rewrite log2_mult in L by lra. pose proof (log2_ge x ltac:(lra)) as Q.
  assert (I : / (m * z') <= / (x * (1 + x))).
  { apply Rinv_le_contravar; [nra|]. replace (x * (1 + x)) with (m * (z * (1 + x))) by (unfold x; ring). apply Rmult_le_compat_l; lra. }
  assert (J : / x - / (x * (1 + x)) = / (1 + x)) by (field; lra).
  assert (K : / (1 + x) + x / (1 + x) = 1) by (field; lra). lra.
Qed.
(** After 1/(m z_0) + log2(v/z_0) steps of a growth by at least m z^2, z >= v. The recursion is needed up to the last step only. *)
Theorem growth m v z T : 0 < m -> 0 < z O -> z O <= v -> (forall t, (t < T)%nat -> z t + m * z t ^ 2 <= z (S t)) ->
  forall t, (t <= T)%nat -> / (m * z O) + log2 (v / z O) <= INR t -> v <= z t.
Proof.
  intros M Z0 V G t Ht B.
  assert (P : forall s, (s <= T)%nat -> 0 < z s /\ INR s <= (/ (m * z O) - log2 (z O)) - (/ (m * z s) - log2 (z s))).
  { induction s as [|s IH]; intros Hs; [simpl; split; [auto|lra]|].
    destruct (IH ltac:(lia)) as [Zs Is]. pose proof (G s ltac:(lia)) as Gs.
    assert (0 <= m * z s ^ 2) by (apply Rmult_le_pos; [lra | apply pow2_ge_0]).
    pose proof (potential_step m (z s) (z (S s)) M Zs Gs). rewrite S_INR. split; lra. }
  destruct (P t Ht) as [Zt It]. destruct (Rle_lt_dec v (z t)) as [|L]; auto. exfalso.
  assert (0 < / (m * z t)) by (apply Rinv_0_lt_compat, Rmult_lt_0_compat; auto).
  pose proof (log2_lt _ _ Zt L). rewrite log2_ratio in B by lra. lra.
Qed.
Lemma growth_monotone m z T : 0 < m -> (forall t, (t < T)%nat -> z t + m * z t ^ 2 <= z (S t)) ->
  forall s t, (s <= t)%nat -> (t <= T)%nat -> z s <= z t.
Proof.
  intros M G s t. induction 1 as [|t H IH]; intros Ht; [lra|]. specialize (IH ltac:(lia)). pose proof (G t ltac:(lia)).
  assert (0 <= m * z t ^ 2) by (apply Rmult_le_pos; [lra | apply pow2_ge_0]). lra.
Qed.
(** The same time in the form of the lemmas, b standing for the bracket: a number >= log2(v/z_0) - 1 that is 0 or at least 1. *)
Lemma bracket_time m w z0 v b : 0 < m -> 0 < z0 -> z0 <= v -> z0 / 2 <= w -> log2 (v / z0) <= b + 1 -> 1 <= b ->
  / (m * w) + log2 (v / w) <= 2 / (m * z0) + 3 * b.
Proof.
  intros M Z V W B B1. assert (/ (m * w) <= / (m * (z0 / 2))) by (apply Rinv_le_contravar; [nra|]; apply Rmult_le_compat_l; lra).
  replace (/ (m * (z0 / 2))) with (2 / (m * z0)) in H by (field; lra).
  pose proof (log2_le (z0 / 2) w ltac:(lra) W) as L. rewrite !log2_ratio in * by lra. rewrite log2_2 in L. lra.
Qed.

(** CGRO, Lemma A.1, as printed but for the name of time: for all t from t_0 on (up to the horizon T), z_t >= v. *)
Theorem lemma_A_1 m M v z T : 0 < m -> 0 < M -> 0 < z O -> 0 < v -> z O <= v ->
  (forall t, (t <= T)%nat -> 0 < z t) ->
  (forall t, (t < T)%nat -> z t + m * z t ^ 2 <= z (S t) <= z t + M * z t ^ 2) ->
  forall bracket, bracket = log2 (v / z O) \/ bracket = floor (log2 (v / z O)) \/ bracket = ceiling (log2 (v / z O)) ->
  forall t, (t <= T)%nat -> 3 / (m * z O) + 8 * M / m * bracket <= INR t -> v <= z t.
Proof.
  intros m0 M0 Z0 V0 V Pos G b Hb t Ht B. set (l := log2 (v / z O)) in *.
  pose proof (log2_ratio_nonneg v (z O) Z0 V) as L0. fold l in L0.
  assert (P : 0 < / (m * z O)) by (apply Rinv_0_lt_compat, Rmult_lt_0_compat; auto).
  assert (B0 : floor l <= b) by (destruct Hb as [-> | [-> | ->]]; [apply floor_range | lra | apply floor_le_ceiling]).
  pose proof (floor_nonneg l L0) as F0. pose proof (floor_range l) as FR.
  assert (Mm : 0 < M / m) by (apply Rdiv_lt_0_compat; auto).
  replace (8 * M / m * b) with (8 * (M / m) * b) in B by (field; lra).
  replace (3 / (m * z O)) with (3 * / (m * z O)) in B by (field; lra).
  assert (T1 : (1 <= t)%nat). { destruct t; [simpl in B|lia]. assert (0 <= 8 * (M / m) * b) by (apply Rmult_le_pos; lra). lra. }
  assert (mM : 1 <= M / m).
  { pose proof (G O ltac:(lia)) as [G1 G2]. assert (0 < z O ^ 2) by (apply pow_lt; auto). apply (ratio_ge1 M m m0).
    apply Rmult_le_reg_r with (z O ^ 2); auto. lra. }
  assert (B' : 3 * / (m * z O) + 8 * floor l <= INR t).
  { assert (8 * floor l <= 8 * (M / m) * b); [|lra]. apply Rle_trans with (8 * 1 * floor l); [lra|].
    apply Rmult_le_compat; lra. }
  assert (Gl : forall t, (t < T)%nat -> z t + m * z t ^ 2 <= z (S t)) by (intros s Hs; apply (G s Hs)).
  destruct (floor_small l L0) as [F|F].
  - destruct (Rle_lt_dec (m * z O) 2) as [S|S].
    + apply (growth m v z T); auto. fold l. assert (1 <= 2 * / (m * z O)); [|lra].
      apply Rmult_le_reg_r with (m * z O); [nra|]. rewrite Rmult_assoc, Rinv_l by nra. lra.
    + apply Rle_trans with (z 1%nat); [|apply (growth_monotone m z T); auto]. pose proof (Gl O ltac:(lia)).
      assert (v < 2 * z O).
      { destruct (Rlt_le_dec v (2 * z O)) as [|Q]; auto. exfalso. assert (log2 2 <= l); [|rewrite log2_2 in *; lra].
        apply log2_le; [lra|]. apply Rmult_le_reg_r with (z O); auto. unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. }
      nra.
  - apply (growth m v z T); auto. fold l. lra.
Qed.

(** * sums *)
Fixpoint squares (z : nat -> R) (t : nat) : R := match t with O => 0 | S t' => squares z t' + z t' ^ 2 end.
(** CGRO, Lemma A.2, as printed: for all t >= t_0 up to the horizon T. *)
Theorem lemma_A_2 A C v z T : 0 < A -> 0 < C -> 0 < z O -> C <= z O / 2 -> 0 < v -> z O <= v ->
  (forall t, (t <= T)%nat -> 0 < z t) ->
  (forall t, (t <= T)%nat -> z O + A * squares z t - C <= z t <= z O + A * squares z t + C) ->
  forall t, (t <= T)%nat -> 8 * ceiling (log2 (v / z O)) + 21 / (z O * A) <= INR t -> v <= z t.
Proof.
  intros A0 C0 Z0 CZ V0 V Pos H t Ht B. set (l := log2 (v / z O)) in *.
  pose proof (log2_ratio_nonneg v (z O) Z0 V) as L0. fold l in L0. pose proof (ceiling_range l) as CR.
  set (w := fun t => z O - C + A * squares z t). assert (W0 : w O = z O - C) by (unfold w; simpl; lra).
  assert (WZ : forall s, (s <= T)%nat -> w s <= z s) by (intros s Hs; unfold w; pose proof (H s Hs); lra).
  assert (WS : forall s, w (S s) = w s + A * z s ^ 2) by (intros; unfold w; simpl; lra).
  assert (WP : forall s, 0 < w s).
  { induction s; [rewrite W0; lra|]. rewrite WS. assert (0 <= A * z s ^ 2) by (apply Rmult_le_pos; [lra | apply pow2_ge_0]). lra. }
  assert (WG : forall s, (s < T)%nat -> w s + A * w s ^ 2 <= w (S s)).
  { intros s Hs. rewrite WS. pose proof (WP s). pose proof (WZ s ltac:(lia)).
    assert (w s ^ 2 <= z s ^ 2) by (apply pow_incr; lra). assert (A * w s ^ 2 <= A * z s ^ 2) by (apply Rmult_le_compat_l; lra). lra. }
  apply Rle_trans with (w t); [|auto].
  assert (P : 0 < / (z O * A)) by (apply Rinv_0_lt_compat, Rmult_lt_0_compat; auto).
  replace (21 / (z O * A)) with (21 * / (z O * A)) in B by (field; lra).
  assert (ceil0 : 0 <= ceiling l) by lra.
  destruct (Rle_lt_dec 1 (ceiling l)) as [C1|C1].
  - apply (growth A v w T); auto; [rewrite W0; lra|]. pose proof (bracket_time A (w O) (z O) v (ceiling l) A0 Z0 V) as K.
    fold l in K. specialize (K ltac:(lra) ltac:(lra) C1). replace (2 / (A * z O)) with (2 * / (z O * A)) in K by (field; lra). lra.
  - assert (l = 0).
    { assert (E : ceiling l = 0); [|lra]. unfold ceiling, floor in *. rewrite <- opp_IZR in *. apply IZR_eq.
      assert (- Int_part (- l) < 1)%Z by (apply lt_IZR; lra). assert (0 <= - Int_part (- l))%Z by (apply le_IZR; lra). lia. }
    assert (Ev : v <= z O).
    { destruct V as [V|V]; [|lra]. exfalso. assert (log2 1 < l); [|rewrite log2_1 in *; lra]. apply log2_lt; [lra|].
      apply Rmult_lt_reg_r with (z O); auto. unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. }
    assert (T1 : (1 <= t)%nat) by (destruct t; [simpl in B; lra | lia]).
    destruct (Rle_lt_dec (z O * A) 19) as [S|S].
    + apply (growth A v w T); auto; [rewrite W0; lra|]. rewrite W0.
      assert (/ (A * (z O - C)) <= / (A * (z O / 2))) by (apply Rinv_le_contravar; [nra|]; apply Rmult_le_compat_l; lra).
      replace (/ (A * (z O / 2))) with (2 * / (z O * A)) in H1 by (field; lra).
      assert (1 <= 19 * / (z O * A)).
      { apply Rmult_le_reg_r with (z O * A); [nra|]. rewrite Rmult_assoc, Rinv_l by nra. lra. }
      assert (log2 (v / (z O - C)) <= log2 2).
      { apply log2_le; [apply Rdiv_lt_0_compat; lra|]. apply Rmult_le_reg_r with (z O - C); [lra|].
        unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. }
      rewrite log2_2 in *. lra.
    + apply Rle_trans with (w 1%nat); [|apply (growth_monotone A w T); auto]. rewrite WS, W0. nra.
Qed.

(** * decay *)
(** z <= 1/(A s) falls to at most 1/(A (s + 1)). *)
Lemma decay_step A s z z' : 0 < A -> 0 < s -> 0 <= z -> z <= / (A * s) -> z' <= z - A * z ^ 2 -> z' <= / (A * (s + 1)).
Proof.
  intros A0 S0 Z0 Z H. set (x := A * z). assert (X0 : 0 <= x) by (apply Rmult_le_pos; lra).
  assert (X : x * s <= 1).
  { unfold x. apply Rmult_le_compat_l with (r := A * s) in Z; [|nra]. rewrite Rinv_r in Z by nra. lra. }
  apply Rle_trans with (1 := H). apply Rmult_le_reg_l with (A * (s + 1)); [nra|]. rewrite Rinv_r by nra.
  replace (A * (s + 1) * (z - A * z ^ 2)) with (x * (1 - x) * (s + 1)) by (unfold x; ring).
  destruct (Rle_lt_dec 1 x) as [Y|Y]; [assert (x * (1 - x) <= 0) by nra; nra|].
  assert (x * (s + 1) <= 1 + x) by lra. assert ((1 - x) * (x * (s + 1)) <= (1 - x) * (1 + x)) by (apply Rmult_le_compat_l; lra). nra.
Qed.
(** CGRO, Lemma A.3, as printed: z_t >= 0 and z_(t+1) <= z_t - A z_t^2 for t > T, T >= 0 whole or not. *)
Theorem lemma_A_3 A T z : 0 < A -> 0 <= T -> (forall t, T < INR t -> 0 <= z t) ->
  (forall t, T < INR t -> z (S t) <= z t - A * z t ^ 2) ->
  forall t, T < INR t -> z t <= / (A * (INR t - T)).
Proof.
  intros A0 T0 Pos H. assert (First : forall t, T < INR t -> z t <= / A).
  { intros t Ht. pose proof (Pos t Ht). pose proof (H t Ht). assert (T < INR (S t)) by (rewrite S_INR; lra). pose proof (Pos (S t) H2).
    destruct (Rle_lt_dec (z t) (/ A)) as [|L]; auto. exfalso.
    apply Rmult_lt_compat_l with (r := A) in L; auto. rewrite Rinv_r in L by lra. nra. }
  induction t as [|t IH]; intros Ht; [simpl in Ht; lra|]. rewrite S_INR in *. destruct (Rlt_le_dec T (INR t)) as [L|L].
  - replace (INR t + 1 - T) with (INR t - T + 1) by lra. apply (decay_step A (INR t - T) (z t)); auto; lra.
  - apply Rle_trans with (/ A); [apply First; rewrite S_INR; lra|].
    apply Rinv_le_contravar; [nra|]. rewrite <- (Rmult_1_r A) at 2. apply Rmult_le_compat_l; lra.
Qed.
