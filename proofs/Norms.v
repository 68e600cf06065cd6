(** The l_p norms of R^D, p in [1, oo]: absolute homogeneity, triangle inequality (Minkowski, [norm_triangle]), comparison with
    coordinates; distances and segments. Points are lists of D coordinates. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Logarithms Networks EuclideanDistance.
Import ListNotations.
Open Scope R_scope.

Inductive exponent := finite (p : R) | infinite.
Definition is_exponent (e : exponent) := match e with finite p => 1 <= p | infinite => True end.

(** * |a|^p, 0 at 0 *)
Definition power (p a : R) : R := if Req_EM_T a 0 then 0 else rpow (Rabs a) p.
Lemma power_0 p : power p 0 = 0.
Proof. unfold power. destruct Req_EM_T; lra. Qed.
Lemma power_nz p a : a <> 0 -> power p a = rpow (Rabs a) p.
Proof. intros H. unfold power. destruct Req_EM_T; tauto. Qed.
Lemma power_ge0 p a : 0 <= power p a.
Proof. unfold power. destruct Req_EM_T; [lra|]. left. apply exp_pos. Qed.
Lemma power_pos p a : a <> 0 -> 0 < power p a.
Proof. intros H. rewrite power_nz by auto. apply exp_pos. Qed.
Lemma power_abs p a : power p (Rabs a) = power p a.
Proof.
  destruct (Req_dec a 0) as [->|N]; [now rewrite Rabs_R0|]. rewrite !power_nz; auto; [now rewrite Rabs_Rabsolu | now apply Rabs_no_R0].
Qed.
Lemma power_mult p a b : power p (a * b) = power p a * power p b.
Proof.
  destruct (Req_dec a 0) as [->|A]; [rewrite Rmult_0_l, power_0; lra|].
  destruct (Req_dec b 0) as [->|B]; [rewrite Rmult_0_r, power_0; lra|].
  rewrite !power_nz by (auto; now apply Rmult_integral_contrapositive). rewrite Rabs_mult.
  apply rpow_mult; now apply Rabs_pos_lt.
Qed.
Lemma power_power p q a : power p (power q a) = power (q * p) a.
Proof.
  destruct (Req_dec a 0) as [->|A]; [now rewrite !power_0|]. pose proof (power_pos q a A).
  rewrite (power_nz p), (power_nz (q * p)) by (auto; lra). rewrite Rabs_pos_eq by lra. rewrite power_nz by auto. apply rpow_rpow.
Qed.
Lemma power_1 a : power 1 a = Rabs a.
Proof.
  destruct (Req_dec a 0) as [->|A]; [now rewrite power_0, Rabs_R0|]. rewrite power_nz by auto. apply rpow_1. now apply Rabs_pos_lt.
Qed.
Lemma power_1' p : power p 1 = 1.
Proof. rewrite power_nz by lra. rewrite Rabs_R1. apply rpow_of_1. Qed.
Lemma power_le p a b : 0 < p -> 0 <= a <= b -> power p a <= power p b.
Proof.
  intros P [A B]. destruct (Req_dec a 0) as [->|N]; [rewrite power_0; apply power_ge0|].
  rewrite !power_nz by lra. rewrite !Rabs_pos_eq by lra. apply rpow_le; lra.
Qed.

(** * convexity *)
(** (1 + u)^p >= 1 + p u *)
Lemma bernoulli p s : 1 <= p -> 0 < s -> 1 + p * (s - 1) <= rpow s p.
Proof.
  intros P S. unfold rpow.
  (* the tangent of exp at log s, at p log s and at 0: s <= s^p / p + 1 - 1/p *)
  assert (T : forall u, s * (1 + (u - log s)) <= exp u).
  { intros u. replace (exp u) with (exp (log s) * exp (u - log s)) by (rewrite <- exp_plus; f_equal; lra).
    rewrite exp_log by auto. apply Rmult_le_compat_l; [lra|]. apply exp_above. }
  pose proof (T (p * log s)) as A. pose proof (T 0) as B. rewrite exp_0 in B.
  assert ((p - 1) * (s * (1 + (0 - log s))) <= (p - 1) * 1) by (apply Rmult_le_compat_l; lra). lra.
Qed.
Lemma tangent p c t : 1 <= p -> 0 < c -> 0 <= t -> power p c * (1 + p * (t / c - 1)) <= power p t.
Proof.
  intros P C T. replace t with (c * (t / c)) at 2 by (field; lra). rewrite power_mult.
  pose proof (power_pos p c ltac:(lra)). apply Rmult_le_compat_l; [lra|].
  destruct (Req_dec t 0) as [->|N].
  - unfold Rdiv. rewrite Rmult_0_l, power_0. lra.
  - assert (0 < t / c) by (apply Rdiv_lt_0_compat; lra). rewrite power_nz, Rabs_pos_eq by lra. now apply bernoulli.
Qed.
Lemma power_convex p l a b : 1 <= p -> 0 <= l <= 1 -> power p (l * a + (1 - l) * b) <= l * power p a + (1 - l) * power p b.
Proof.
  intros P L. rewrite <- (power_abs p a), <- (power_abs p b), <- (power_abs p (_ + _)). set (c := Rabs (l * a + (1 - l) * b)).
  pose proof (Rabs_pos a). pose proof (Rabs_pos b). assert (C : c <= l * Rabs a + (1 - l) * Rabs b).
  { unfold c. eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult, (Rabs_pos_eq l), (Rabs_pos_eq (1 - l)) by lra. lra. }
  destruct (Req_dec c 0) as [->|N].
  - rewrite power_0. pose proof (power_ge0 p (Rabs a)). pose proof (power_ge0 p (Rabs b)).
    apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra.
  - assert (C0 : 0 < c) by (pose proof (Rabs_pos (l * a + (1 - l) * b)); unfold c in *; lra).
    pose proof (tangent p c (Rabs a) P C0 H) as A. pose proof (tangent p c (Rabs b) P C0 H0) as B.
    pose proof (power_pos p c N) as K. set (k := power p c) in *.
    assert (A' : l * (k * (1 + p * (Rabs a / c - 1))) <= l * power p (Rabs a)) by (apply Rmult_le_compat_l; lra).
    assert (B' : (1 - l) * (k * (1 + p * (Rabs b / c - 1))) <= (1 - l) * power p (Rabs b)) by (apply Rmult_le_compat_l; lra).
    assert (Q : 0 <= (l * Rabs a + (1 - l) * Rabs b) / c - 1).
    { assert (c / c <= (l * Rabs a + (1 - l) * Rabs b) / c) by (apply Rmult_le_compat_r; [left; now apply Rinv_0_lt_compat | lra]).
      replace (c / c) with 1 in H1 by (field; lra). lra. }
    assert (0 <= k * (p * ((l * Rabs a + (1 - l) * Rabs b) / c - 1))) by (apply Rmult_le_pos; [lra | apply Rmult_le_pos; lra]).
    replace (k * (p * ((l * Rabs a + (1 - l) * Rabs b) / c - 1))) with
      (l * (k * (1 + p * (Rabs a / c - 1))) + (1 - l) * (k * (1 + p * (Rabs b / c - 1))) - k) in H1 by (field; lra). lra.
Qed.

(** * norms *)
Fixpoint power_sum (p : R) (v : vec) : R := match v with [] => 0 | a :: v' => power p a + power_sum p v' end.
Fixpoint greatest (v : vec) : R := match v with [] => 0 | a :: v' => Rmax (Rabs a) (greatest v') end.
(** (sum_j |v_j|^p)^(1/p), or max_j |v_j| *)
Definition norm (e : exponent) (v : vec) : R := match e with finite p => power (/ p) (power_sum p v) | infinite => greatest v end.
(** u + v, coordinate by coordinate *)
Fixpoint vplus (u v : vec) : vec := match u, v with a :: u', b :: v' => (a + b) :: vplus u' v' | _, _ => [] end.
Fixpoint vminus (u v : vec) : vec := match u, v with a :: u', b :: v' => (a - b) :: vminus u' v' | _, _ => [] end.

Lemma power_sum_ge0 p v : 0 <= power_sum p v.
Proof. induction v; simpl; [lra|]. pose proof (power_ge0 p a). lra. Qed.
Lemma greatest_ge0 v : 0 <= greatest v.
Proof. induction v; simpl; [lra|]. pose proof (Rmax_r (Rabs a) (greatest v)). lra. Qed.
Lemma norm_ge0 e v : 0 <= norm e v.
Proof. destruct e; [apply power_ge0 | apply greatest_ge0]. Qed.
Lemma power_sum_scale p c v : power_sum p (vscale c v) = power p c * power_sum p v.
Proof. unfold vscale. induction v; simpl; [lra|]. rewrite IHv, power_mult. lra. Qed.
Theorem norm_scale e c v : is_exponent e -> norm e (vscale c v) = Rabs c * norm e v.
Proof.
  destruct e as [p|]; simpl; intros P.
  - rewrite power_sum_scale, power_mult, power_power. replace (p * / p) with 1 by (field; lra). now rewrite power_1.
  - unfold vscale. induction v as [|a v IH]; simpl; [lra|]. rewrite IH, Rabs_mult. apply RmaxRmult. apply Rabs_pos.
Qed.
(** the norm's p-th power *)
Lemma norm_power p v : 1 <= p -> power p (norm (finite p) v) = power_sum p v.
Proof.
  intros P. simpl. rewrite power_power. replace (/ p * p) with 1 by (field; lra). rewrite power_1. apply Rabs_pos_eq, power_sum_ge0.
Qed.
Lemma power_sum_convex p l : 1 <= p -> 0 <= l <= 1 -> forall u v, length u = length v ->
  power_sum p (vplus (vscale l u) (vscale (1 - l) v)) <= l * power_sum p u + (1 - l) * power_sum p v.
Proof.
  intros P L. unfold vscale. induction u as [|a u IH]; intros [|b v] E; simpl in *; try lia; [lra|].
  pose proof (power_convex p l a b P L). specialize (IH v ltac:(lia)). lra.
Qed.
Lemma power_sum_0 p v : power_sum p v = 0 -> Forall (eq 0) v.
Proof.
  induction v as [|a v IH]; simpl; intros H; constructor; pose proof (power_sum_ge0 p v); pose proof (power_ge0 p a).
  - destruct (Req_dec a 0) as [|N]; auto. pose proof (power_pos p a N). lra.
  - apply IH. lra.
Qed.
Lemma plus_zero_l u : Forall (eq 0) u -> forall v, length u = length v -> vplus u v = v.
Proof. induction 1 as [|a u <- H IH]; intros [|b v] L; simpl in *; try lia; auto. rewrite IH by lia. f_equal. lra. Qed.
Lemma plus_comm u : forall v, vplus u v = vplus v u.
Proof. induction u; intros [|b v]; simpl; auto. rewrite IHu. f_equal. lra. Qed.
Lemma mixture a b : 0 < a -> 0 < b -> forall u v, length u = length v ->
  vplus (vscale (a / (a + b)) (vscale (/ a) u)) (vscale (b / (a + b)) (vscale (/ b) v)) = vscale (/ (a + b)) (vplus u v).
Proof.
  intros A B. unfold vscale. induction u as [|x u IH]; intros [|y v] L; simpl in *; try lia; auto.
  rewrite IH by lia. f_equal. field. lra.
Qed.
Theorem norm_triangle e u v : is_exponent e -> length u = length v -> norm e (vplus u v) <= norm e u + norm e v.
Proof.
  destruct e as [p|]; intros P L.
  - simpl in P. set (a := norm (finite p) u). set (b := norm (finite p) v).
    assert (Z : forall w, norm (finite p) w = 0 -> Forall (eq 0) w).
    { intros w H. apply (power_sum_0 p). rewrite <- norm_power by auto. rewrite H. apply power_0. }
    pose proof (norm_ge0 (finite p) u). pose proof (norm_ge0 (finite p) v). fold a b in H, H0.
    destruct (Req_dec a 0) as [A|A]; [unfold a in A; rewrite plus_zero_l by auto; fold b; lra|].
    destruct (Req_dec b 0) as [B|B]; [unfold b in B; rewrite plus_comm, plus_zero_l by auto; fold a; lra|].
    set (l := a / (a + b)). assert (L0 : 0 <= l) by (apply Rle_mult_inv_pos; lra).
    assert (L1 : 1 - l = b / (a + b)) by (unfold l; field; lra). assert (0 <= b / (a + b)) by (apply Rle_mult_inv_pos; lra).
    assert (N1 : forall w, norm (finite p) w <> 0 -> power_sum p (vscale (/ norm (finite p) w) w) = 1).
    { intros w W. rewrite <- norm_power, norm_scale by auto. pose proof (norm_ge0 (finite p) w).
      rewrite Rabs_pos_eq by (left; apply Rinv_0_lt_compat; lra). rewrite Rinv_l by auto. apply power_1'. }
    pose proof (power_sum_convex p l P ltac:(lra) (vscale (/ a) u) (vscale (/ b) v)) as Q.
    specialize (Q ltac:(unfold vscale; rewrite !map_length; auto)). unfold a, b in Q. rewrite !N1 in Q by auto. fold a b in Q.
    assert (E : vplus (vscale l (vscale (/ a) u)) (vscale (1 - l) (vscale (/ b) v)) = vscale (/ (a + b)) (vplus u v)).
    { rewrite L1. unfold l. apply mixture; auto; lra. }
    rewrite E in Q. assert (T : norm (finite p) (vscale (/ (a + b)) (vplus u v)) <= 1).
    { cbn [norm]. rewrite <- (power_1' (/ p)). apply power_le; [apply Rinv_0_lt_compat; lra|]. split; [apply power_sum_ge0 | lra]. }
    rewrite norm_scale, Rabs_pos_eq in T by (auto; left; apply Rinv_0_lt_compat; lra).
    apply Rmult_le_reg_l with (/ (a + b)); [apply Rinv_0_lt_compat; lra|]. rewrite Rinv_l by lra. auto.
  - simpl. revert v L. induction u as [|a u IH]; intros [|b v] L; simpl in *; try lia; [lra|]. specialize (IH v ltac:(lia)).
    pose proof (Rabs_triang a b). pose proof (Rmax_l (Rabs a) (greatest u)). pose proof (Rmax_r (Rabs a) (greatest u)).
    pose proof (Rmax_l (Rabs b) (greatest v)). pose proof (Rmax_r (Rabs b) (greatest v)). apply Rmax_lub; lra.
Qed.
(** A coordinate is at most the norm, *)
Theorem norm_coordinate e v j : is_exponent e -> Rabs (nth j v 0) <= norm e v.
Proof.
  intros P. destruct e as [p|].
  - simpl in P. assert (H : power p (nth j v 0) <= power_sum p v).
    { revert j. induction v as [|a v IH]; intros [|j]; simpl; rewrite ?power_0; try lra.
      - pose proof (power_sum_ge0 p v). lra.
      - specialize (IH j). pose proof (power_ge0 p a). lra. }
    pose proof (power_le (/ p) _ _ ltac:(apply Rinv_0_lt_compat; lra) (conj (power_ge0 p (nth j v 0)) H)) as H'. clear H. rename H' into H.
    rewrite power_power in H. replace (p * / p) with 1 in H by (field; lra). now rewrite power_1 in H.
  - simpl. revert j. induction v as [|a v IH]; intros [|j]; simpl; try (rewrite Rabs_R0; lra); [apply Rmax_l|].
    eapply Rle_trans; [apply IH | apply Rmax_r].
Qed.
(** and the norm is a coordinate where the others are 0. *)
Theorem norm_single e v j : is_exponent e -> (j < length v)%nat -> (forall i, i <> j -> nth i v 0 = 0) -> norm e v = Rabs (nth j v 0).
Proof.
  intros P. assert (Zs : forall w, (forall i, nth i w 0 = 0) -> power_sum (match e with finite p => p | _ => 1 end) w = 0 /\ greatest w = 0).
  { induction w as [|a w IH]; intros H; [simpl; auto|]. destruct (IH (fun i => H (S i))) as [I J]. pose proof (H O) as A. simpl in A.
    simpl. rewrite I, J, A, power_0, Rabs_R0, Rmax_left by lra. lra. }
  assert (G : forall v j, (j < length v)%nat -> (forall i, i <> j -> nth i v 0 = 0) ->
    power_sum (match e with finite p => p | _ => 1 end) v = power (match e with finite p => p | _ => 1 end) (nth j v 0) /\ greatest v = Rabs (nth j v 0)).
  { clear v j. induction v as [|a v IH]; intros [|j] L H; simpl in L; try lia.
    - destruct (Zs v (fun i => H (S i) ltac:(lia))) as [I J]. simpl. rewrite I, J, Rmax_left by apply Rabs_pos. lra.
    - destruct (IH j ltac:(lia) (fun i N => H (S i) ltac:(lia))) as [I J]. pose proof (H O ltac:(lia)) as A. simpl in A.
      simpl. rewrite I, J, A, power_0, Rabs_R0, Rmax_right by apply Rabs_pos. lra. }
  intros L H. destruct (G v j L H) as [I J]. destruct e as [p|]; [|exact J]. simpl in *. rewrite I, power_power.
  replace (p * / p) with 1 by (field; lra). apply power_1.
Qed.

(** * distances and segments *)
Definition dist (e : exponent) (x x' : vec) : R := norm e (vminus x' x).
Definition space (d : nat) (x : vec) := length x = d.
(** x + t (x' - x) *)
Fixpoint between (t : R) (x x' : vec) : vec := match x, x' with a :: y, b :: y' => (a + t * (b - a)) :: between t y y' | _, _ => [] end.
Lemma between_space d t x : forall x', space d x -> space d x' -> space d (between t x x').
Proof. unfold space. revert d. induction x; intros d [|b x'] H H'; simpl in *; auto. destruct d; [lia|]. rewrite (IHx d); lia. Qed.
Lemma minus_length d u v : space d u -> space d v -> space d (vminus u v).
Proof. unfold space. revert d v. induction u; intros d [|b v] H H'; simpl in *; auto. destruct d; [lia|]. rewrite (IHu d); lia. Qed.
Lemma nth_minus u : forall v j, length u = length v -> nth j (vminus u v) 0 = nth j u 0 - nth j v 0.
Proof. induction u; intros [|b v] [|j] L; simpl in *; try lia; try lra. apply IHu. lia. Qed.
Lemma dist_ge0 e x x' : 0 <= dist e x x'.
Proof. apply norm_ge0. Qed.
Lemma between_minus t s x : forall x', vminus (between t x x') (between s x x') = vscale (t - s) (vminus x' x).
Proof. induction x; intros [|b x']; simpl; auto. rewrite IHx. unfold vscale. simpl. f_equal. lra. Qed.
Lemma between_0 x : forall x', length x = length x' -> between 0 x x' = x.
Proof. induction x; intros [|b x'] L; simpl in *; try lia; auto. rewrite IHx by lia. f_equal. lra. Qed.
Lemma between_1 x : forall x', length x = length x' -> between 1 x x' = x'.
Proof. induction x; intros [|b x'] L; simpl in *; try lia; auto. rewrite IHx by lia. f_equal. lra. Qed.
Lemma dist_between e t s x x' : is_exponent e -> dist e (between s x x') (between t x x') = Rabs (t - s) * dist e x x'.
Proof. intros P. unfold dist. now rewrite between_minus, norm_scale. Qed.
Lemma dist_start e t x x' : is_exponent e -> length x = length x' -> 0 <= t -> dist e x (between t x x') = t * dist e x x'.
Proof. intros P L T. rewrite <- (between_0 x x' L) at 1. rewrite dist_between by auto. rewrite Rabs_pos_eq; [f_equal|]; lra. Qed.
Theorem dist_triangle e d x y z : is_exponent e -> space d x -> space d y -> space d z -> dist e x z <= dist e x y + dist e y z.
Proof.
  intros P X Y Z. unfold dist. replace (vminus z x) with (vplus (vminus y x) (vminus z y)).
  - apply norm_triangle; auto. rewrite (minus_length d z y), (minus_length d y x); auto.
  - assert (X' : length x = length y) by (unfold space in *; congruence). assert (Z' : length z = length y) by (unfold space in *; congruence).
    clear P X Y Z. revert x z X' Z'. induction y as [|b y IH]; intros [|a x] [|c z] X' Z'; simpl in *; try lia; auto.
    rewrite (IH x z) by lia. f_equal. lra.
Qed.
Theorem dist_sym e x x' : is_exponent e -> dist e x x' = dist e x' x.
Proof.
  intros P. unfold dist. replace (vminus x x') with (vscale (-1) (vminus x' x)).
  - rewrite norm_scale, Rabs_left by (auto; lra). lra.
  - unfold vscale. revert x'. induction x as [|a x IH]; intros [|b x']; simpl; auto. rewrite IH. f_equal. lra.
Qed.
Lemma dist_same e x : is_exponent e -> dist e x x = 0.
Proof.
  intros P. unfold dist. replace (vminus x x) with (vscale 0 (vminus x x)); [rewrite norm_scale, Rabs_R0 by auto; lra|].
  unfold vscale. induction x as [|a x IH]; simpl; auto. rewrite IH. f_equal. lra.
Qed.

(** * l_2 as a root of sums of squares *)
Lemma power_2 a : power 2 a = a ^ 2.
Proof.
  destruct (Req_dec a 0) as [->|N]; [rewrite power_0; lra|]. rewrite power_nz by auto.
  replace 2 with (INR 2) by (simpl; lra). rewrite rpow_INR by now apply Rabs_pos_lt. apply pow2_abs.
Qed.
Lemma power_half a : 0 <= a -> power (/ 2) a = sqrt a.
Proof.
  intros H. destruct (Req_dec a 0) as [->|N]; [now rewrite power_0, sqrt_0|].
  rewrite power_nz, Rabs_pos_eq by auto. apply Rsqr_inj.
  - left. apply rpow_pos.
  - apply sqrt_pos.
  - rewrite Rsqr_sqrt by lra. unfold Rsqr, rpow. rewrite <- exp_plus. replace (/ 2 * log a + / 2 * log a) with (log a) by field. apply exp_log. lra.
Qed.
Theorem dist_2 x x' : dist (finite 2) x x' = sqrt (d2 x x').
Proof.
  assert (E : power_sum 2 (vminus x' x) = d2 x x').
  { revert x'. induction x as [|a x IH]; intros [|b x']; cbn [vminus power_sum d2]; auto. now rewrite IH, power_2. }
  unfold dist. cbn [norm]. rewrite power_half by apply power_sum_ge0. now rewrite E.
Qed.
