(** The counting step of CGRM, Theorem 3.5 = A.6, and CGRO, Theorem 5.3 = D.4: a class that labels n points in all ways up to r errors
    has 2^n <= (sum_(i <= r) C(n, i)) (sum_(j <= k) C(n, j)), k its VC dimension ([nearly_shattered]; both sums from 0, as the printed
    sum from i = 1 is false: [covering_from_1]); so k > c n wherever r <= mu n and h(mu) h(c) < 2, h(x) = (e/x)^x ([vc_fraction]);
    for instance with 1% of errors k > n/4 ([one_percent]). *)
From Coq Require Import Reals Lra List Lia Arith Bool.
From CGRO Require Import Logarithms Labellings SauerLemma.
Import ListNotations.

(** * Hamming balls *)
Fixpoint hamming (u v : list bool) : nat :=
  match u, v with a :: u', b :: v' => (if eqb a b then 0 else 1) + hamming u' v' | _, _ => 0 end.
Lemma hamming_sym u : forall v, hamming u v = hamming v u.
Proof. induction u as [|a u IH]; intros [|b v]; simpl; auto. rewrite IH. now destruct a, b. Qed.
Lemma filter_map {A B} (p : B -> bool) (f : A -> B) l : length (filter p (map f l)) = length (filter (fun a => p (f a)) l).
Proof. induction l as [|a l IH]; simpl; auto. destruct (p (f a)); simpl; auto. Qed.
Lemma filter_none {A} (p : A -> bool) l : (forall a, p a = false) -> length (filter p l) = 0.
Proof. intros H. induction l as [|a l IH]; simpl; auto. now rewrite H. Qed.
(** fewer than k differences: C(n, 0) + ... + C(n, k - 1) vectors *)
Theorem hamming_ball n : forall u k, length u = n -> length (filter (fun v => hamming u v <? k) (vectors n)) = below n k.
Proof.
  induction n; intros [|b u] k L; simpl in L; try lia.
  - destruct k; simpl; auto. induction k; cbn [below choose] in *; lia.
  - destruct k as [|k]; [rewrite filter_none; auto|].
    rewrite below_pascal, <- (IHn u (S k)), <- (IHn u k) by lia. cbn [vectors].
    assert (Sp : forall p (l m : list (list bool)), length (filter p (l ++ m)) = length (filter p l) + length (filter p m)).
    { intros p l m. induction l as [|a l IH]; simpl; auto. destruct (p a); simpl; lia. }
    rewrite Sp, !filter_map. destruct b; simpl hamming; simpl (eqb _ _); cbv iota; simpl Nat.add; change (fun a => S (hamming u a) <? S k) with (fun a => hamming u a <? k); lia.
Qed.

(** * coverings *)
Lemma flat_map_length {A B} (f : A -> list B) c l : (forall a, In a l -> length (f a) = c) -> length (flat_map f l) = length l * c.
Proof. induction l as [|a l IH]; simpl; intros H; auto. rewrite app_length, IH, (H a); auto. Qed.
(** All vectors lie within r of a list: it is long. *)
Theorem covering n r L : (forall v, In v L -> length v = n) ->
  (forall u, length u = n -> exists v, In v L /\ hamming u v <= r) -> 2 ^ n <= length L * below n (S r).
Proof.
  intros Len C. rewrite <- vectors_length, <- (flat_map_length (fun v => filter (fun u => hamming v u <? S r) (vectors n)) (below n (S r)) L).
  - apply NoDup_incl_length; [apply NoDup_vectors|]. intros u I. apply in_vectors in I as Lu. destruct (C u Lu) as [v [J H]].
    apply in_flat_map. exists v. split; auto. apply filter_In. split; auto. apply Nat.ltb_lt. rewrite hamming_sym. lia.
  - intros v I. now apply hamming_ball, Len.
Qed.
(** With the sum from i = 1 (here below 3 2 - 1 = 3): {000, 111} is within 1 of all 8 vectors, but 8 > 2 * 3. *)
Theorem covering_from_1 : exists L, (forall v, In v L -> length v = 3) /\ (forall u, length u = 3 -> exists v, In v L /\ hamming u v <= 1) /\
  ~ 2 ^ 3 <= length L * (below 3 2 - choose 3 0).
Proof.
  exists [[false; false; false]; [true; true; true]]. repeat split.
  - intros v [<-|[<-|[]]]; auto.
  - intros [|a [|b [|c [|]]]] H; simpl in H; try lia.
    destruct a, b, c; simpl; (exists [false; false; false]; simpl; split; [tauto|lia]) || (exists [true; true; true]; simpl; split; [tauto|lia]).
  - simpl. lia.
Qed.

(** * classes that label n points in all ways up to r errors *)
(** at most k points are shattered; so it is where k is the VC dimension, [vc_at_most_dimension] *)
Definition vc_at_most {X} (dom : X -> Prop) (F : (X -> bool) -> Prop) (k : nat) := forall ys, Forall dom ys -> shatters F ys -> length ys <= k.
Lemma vc_at_most_dimension {X} (dom : X -> Prop) F k : vc_dimension dom F k -> vc_at_most dom F k.
Proof. intros V ys D S. now apply (vc_at_least dom F). Qed.
Definition up_to_errors {X} (F : (X -> bool) -> Prop) (xs : list X) (r : nat) :=
  forall u, length u = length xs -> exists f, F f /\ hamming u (map f xs) <= r.
Theorem nearly_shattered {X} (dom : X -> Prop) F xs r k : Forall dom xs -> vc_at_most dom F k -> up_to_errors F xs r ->
  2 ^ length xs <= below (length xs) (S r) * below (length xs) (S k).
Proof.
  intros D V E. assert (Ch : forall us, (forall u, In u us -> length u = length xs) -> exists L, (forall v, In v L -> labelling F xs v) /\
    forall u, In u us -> exists v, In v L /\ hamming u v <= r).
  { induction us as [|u us IH]; intros H; [exists []; split; intros ? []|]. destruct IH as [L [A B]]; [intros; apply H; now right|].
    destruct (E u (H u (or_introl eq_refl))) as [f [Ff Hf]]. exists (map f xs :: L). split.
    - intros v [<-|I]; auto. now exists f.
    - intros w [<-|I]; [exists (map f xs); split; auto; now left|]. destruct (B w I) as [v [J Hv]]. exists v. split; auto. now right. }
  destruct (Ch (vectors (length xs)) ltac:(intros u; apply in_vectors)) as [L [A B]].
  assert (N : length (nodup vector_dec L) <= below (length xs) (S k)).
  { apply (sauer_labellings dom F k); auto; [apply NoDup_nodup|]. intros s I. apply A. now apply nodup_In in I. }
  assert (C : 2 ^ length xs <= length (nodup vector_dec L) * below (length xs) (S r)).
  { apply covering.
    - intros v I. apply nodup_In, A in I. eapply labelling_length; eauto.
    - intros u Hu. destruct (B u (proj2 (in_vectors _ _) Hu)) as [v [I H]]. exists v. split; auto. now apply nodup_In. }
  pose proof (Nat.mul_le_mono_r _ _ (below (length xs) (S r)) N). lia.
Qed.

(** * h *)
Local Open Scope R_scope.
Definition h (x : R) : R := rpow (exp 1 / x) x.
Lemma h_exp x : 0 < x -> h x = exp (x * (1 - log x)).
Proof. intros X. unfold h, rpow. f_equal. unfold Rdiv. pose proof (exp_pos 1). pose proof (Rinv_0_lt_compat x X). rewrite log_mult, log_exp, log_inv by auto. ring. Qed.
(** sum_(i <= k) C(n, i) <= h(x)^n for k <= x n *)
Lemma below_h n k x : 0 < x <= 1 -> INR k <= x * INR n -> INR (below n (S k)) <= exp (INR n * (x * (1 - log x))).
Proof.
  intros X K. pose proof (below_pow x n ltac:(lra) k) as B.
  assert (E : (1 + x) ^ n <= exp (INR n * x)).
  { rewrite <- exp_times. apply pow_incr. pose proof (exp_above x). lra. }
  assert (P : exp (INR n * (x * log x)) <= x ^ k).
  { rewrite <- (exp_log x) at 3 by lra. rewrite exp_times. assert (L : log x <= 0).
    { destruct (Req_dec x 1) as [->|]; [rewrite log_1; lra|]. left. rewrite <- log_1. apply log_lt; lra. }
    destruct (Rle_lt_or_eq_dec (INR n * (x * log x)) (INR k * log x)) as [Q|Q]; [nra | left; now apply exp_lt | rewrite Q; lra]. }
  replace (INR n * (x * (1 - log x))) with (INR n * x + - (INR n * (x * log x))) by ring. rewrite exp_plus, exp_Ropp.
  assert (0 < exp (INR n * (x * log x))) by apply exp_pos. pose proof (pos_INR (below n (S k))).
  apply Rmult_le_reg_r with (exp (INR n * (x * log x))); auto. rewrite Rmult_assoc, Rinv_l by lra.
  assert (INR (below n (S k)) * exp (INR n * (x * log x)) <= INR (below n (S k)) * x ^ k) by (now apply Rmult_le_compat_l). lra.
Qed.
(** More than c n points are shattered where h(mu) h(c) < 2. *)
Theorem vc_fraction {X} (dom : X -> Prop) F xs r k mu c : Forall dom xs -> vc_at_most dom F k -> up_to_errors F xs r -> xs <> [] ->
  0 < mu <= 1 -> INR r <= mu * INR (length xs) -> 0 < c <= 1 -> h mu * h c < 2 -> c * INR (length xs) < INR k.
Proof.
  intros D V E Ne Mu R Cc H. destruct (Rle_lt_dec (INR k) (c * INR (length xs))) as [K|]; auto. exfalso.
  pose proof (nearly_shattered dom F xs r k D V E) as B. set (n := length xs) in *.
  assert (N : 0 < INR n) by (apply lt_0_INR; unfold n; destruct xs; simpl; [congruence | lia]).
  apply le_INR in B. rewrite mult_INR, pow_INR in B. simpl (INR 2) in B.
  pose proof (below_h n r mu Mu R) as B1. pose proof (below_h n k c Cc K) as B2.
  pose proof (pos_INR (below n (S r))). pose proof (pos_INR (below n (S k))).
  assert (T : (1 + 1) ^ n <= exp (INR n * (mu * (1 - log mu) + c * (1 - log c)))).
  { rewrite Rmult_plus_distr_l, exp_plus. eapply Rle_trans; [exact B|]. now apply Rmult_le_compat. }
  rewrite h_exp, h_exp, <- exp_plus in H by lra. set (g := mu * (1 - log mu) + c * (1 - log c)) in *.
  assert (G : g < log 2) by (apply exp_lt_back; rewrite exp_log by lra; auto).
  assert (Q : (1 + 1) ^ n = exp (INR n * log 2)) by (rewrite <- exp_times, exp_log by lra; f_equal; lra).
  rewrite Q in T. apply Rle_not_lt in T. apply T. apply exp_lt. apply Rmult_lt_compat_l; auto.
Qed.
(** mu = 1/100 and c = 1/4 *)
Theorem one_percent : h (1 / 100) * h (1 / 4) < 2.
Proof.
  rewrite !h_exp, <- exp_plus by lra. apply Rlt_le_trans with (exp (log 2)); [|rewrite exp_log; lra]. apply exp_lt.
  replace (log (1 / 100)) with (- log 100) by (unfold Rdiv; rewrite Rmult_1_l, log_inv; lra).
  replace (log (1 / 4)) with (- (2 * log 2)).
  2: { unfold Rdiv. rewrite Rmult_1_l, log_inv by lra. replace 4 with (2 * 2) by lra. rewrite log_mult by lra. lra. }
  assert (L3 : 1 <= log 3).
  { rewrite <- (log_exp 1). destruct exp_le_3 as [E| ->]; [left; apply log_lt; [apply exp_pos | auto] | lra]. }
  assert (P : forall a n, 0 < a -> log (a ^ n) = INR n * log a).
  { intros a n A. induction n; [simpl; rewrite log_1; lra|]. rewrite S_INR. cbn [pow]. rewrite log_mult, IHn; auto; [lra | now apply pow_lt]. }
  assert (Q : log (3 ^ 26 * 100) < log (2 ^ 50)).
  { apply log_lt; [apply Rmult_lt_0_compat; [apply pow_lt|]; lra | lra]. }
  rewrite log_mult, !P in Q by (try apply pow_lt; lra). replace (INR 26) with 26 in Q by (simpl; lra). replace (INR 50) with 50 in Q by (simpl; lra). lra.
Qed.
