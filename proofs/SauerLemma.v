(** CGRM and CGRO, Lemma A.8 (Sauer, Shelah): a class of VC dimension k has Pi(m) <= sum_(i <= k) C(m, i) ([sauer_lemma]),
    which is at most (e m / k)^k ([sauer_exponential]): for all k <= m, not for m > k + 1 alone, with (e m / 0)^0 = 1.
    [sauer_labellings]: the same for every list of labellings of m points, whether or not a greatest number of them is known. *)
From Coq Require Import Reals Lra List Lia Arith Bool.
From CGRO Require Import Logarithms Labellings.
Import ListNotations.

(** * binomial coefficients by Pascal's rule, and their sums *)
Fixpoint choose (m i : nat) : nat :=
  match i, m with O, _ => 1 | S _, O => 0 | S i', S m' => choose m' i' + choose m' i end.
(** C(m, 0) + ... + C(m, k - 1) *)
Fixpoint below (m k : nat) : nat := match k with O => 0 | S k' => below m k' + choose m k' end.
Lemma choose_0 m : choose m 0 = 1.
Proof. destruct m; reflexivity. Qed.
Lemma choose_big m : forall i, m < i -> choose m i = 0.
Proof. induction m; intros [|i] H; try lia; simpl; auto. rewrite !IHm by lia. lia. Qed.
Lemma choose_m m : choose m m = 1.
Proof. induction m; simpl; auto. rewrite IHm, choose_big by lia. lia. Qed.
Lemma C_n_0 n : C n 0 = 1%R.
Proof. unfold C. rewrite Nat.sub_0_r. simpl (fact 0). pose proof (INR_fact_neq_0 n). simpl (INR 1). field. auto. Qed.
Lemma C_n_n n : C n n = 1%R.
Proof. unfold C. rewrite Nat.sub_diag. simpl (fact 0). pose proof (INR_fact_neq_0 n). simpl (INR 1). field. auto. Qed.
(** They are the m! / (i! (m - i)!) of the standard library. *)
Theorem choose_is_C m : forall i, i <= m -> INR (choose m i) = C m i.
Proof.
  induction m; intros i H.
  - assert (i = 0) by lia. subst. rewrite C_n_0. reflexivity.
  - destruct i; [rewrite choose_0, C_n_0; reflexivity|]. cbn [choose]. rewrite plus_INR.
    destruct (Nat.eq_dec i m) as [->|N].
    + rewrite choose_m, choose_big, C_n_n by lia. simpl. lra.
    + rewrite !IHm by lia. apply pascal. lia.
Qed.
Lemma choose_S m i : choose (S m) (S i) = choose m i + choose m (S i).
Proof. reflexivity. Qed.
Lemma below_S m k : below m (S k) = below m k + choose m k.
Proof. reflexivity. Qed.
Lemma below_pascal m k : below (S m) (S k) = below m (S k) + below m k.
Proof.
  induction k; [rewrite !below_S, !choose_0; simpl; lia|].
  rewrite (below_S (S m) (S k)), IHk, choose_S, !below_S. lia.
Qed.
Lemma below_pos m k : 1 <= below m (S k).
Proof. induction k; rewrite below_S; [rewrite choose_0|]; lia. Qed.
Lemma below_le m k k' : k <= k' -> below m k <= below m k'.
Proof. induction 1; simpl; lia. Qed.
Lemma below_all m : below m (S m) = 2 ^ m.
Proof.
  induction m; [reflexivity|]. rewrite below_pascal, (below_S m (S m)), (choose_big m (S m)), IHm by lia. simpl. lia.
Qed.

(** * the coordinates that a mask chooses *)
Fixpoint select {A} (mask : list bool) (s : list A) : list A :=
  match mask, s with true :: mask', a :: s' => a :: select mask' s' | false :: mask', _ :: s' => select mask' s' | _, _ => [] end.
Fixpoint ones (mask : list bool) : nat := match mask with [] => 0 | b :: mask' => (if b then 1 else 0) + ones mask' end.
Lemma select_length {A} mask : forall s : list A, length s = length mask -> length (select mask s) = ones mask.
Proof. induction mask as [|[] mask IH]; intros [|a s] H; simpl in *; try lia; auto. Qed.
Lemma select_map {A B} (f : A -> B) mask : forall s, select mask (map f s) = map f (select mask s).
Proof. induction mask as [|[] mask IH]; intros [|a s]; simpl; auto. now rewrite IH. Qed.
Lemma select_in {A} mask : forall (s : list A) a, In a (select mask s) -> In a s.
Proof. induction mask as [|[] mask IH]; intros [|b s] a; simpl; try tauto; intros H; [destruct H|]; auto. Qed.
Lemma ones_none m : ones (repeat false m) = 0.
Proof. induction m; auto. Qed.
Lemma select_none {A} m : forall s : list A, select (repeat false m) s = [].
Proof. induction m; intros [|a s]; simpl; auto. Qed.

(** * the lemma for a list of distinct vectors *)
(** every labelling of the chosen coordinates occurs *)
Definition full (L : list (list bool)) (mask : list bool) := forall t, length t = ones mask -> exists s, In s L /\ select mask s = t.
Definition vector_dec := list_eq_dec bool_dec.
(** s with b :: s in L *)
Fixpoint tails (b : bool) (L : list (list bool)) : list (list bool) :=
  match L with [] => [] | [] :: L' => tails b L' | (a :: s) :: L' => if bool_dec a b then s :: tails b L' else tails b L' end.
Lemma in_tails b L s : In s (tails b L) <-> In (b :: s) L.
Proof.
  induction L as [|[|a u] L IH]; simpl; [tauto | rewrite IH; split; [auto | intros [H|H]; [inversion H | auto]] |].
  destruct (bool_dec a b) as [->|N]; simpl; rewrite IH; split.
  - intros [->|H]; auto.
  - intros [H|H]; [inversion H|]; auto.
  - auto.
  - intros [H|H]; [inversion H; subst; tauto | auto].
Qed.
Lemma NoDup_tails b L : NoDup L -> NoDup (tails b L).
Proof.
  induction 1 as [|[|a u] L N H IH]; simpl; auto; [constructor|]. destruct (bool_dec a b) as [->|]; auto.
  constructor; auto. now rewrite in_tails.
Qed.
Lemma tails_length m L : (forall s, In s L -> length s = S m) -> length L = length (tails true L) + length (tails false L).
Proof.
  induction L as [|[|[] u] L IH]; intros H; [reflexivity | specialize (H [] (or_introl eq_refl)); simpl in H; lia | |];
    simpl; rewrite IH by (intros s I; apply H; now right); lia.
Qed.
Lemma filter_length {A} (f : A -> bool) L : length (filter f L) + length (filter (fun a => negb (f a)) L) = length L.
Proof. induction L as [|a L IH]; simpl; auto. destruct (f a); simpl; lia. Qed.
Lemma sauer_vectors m : forall k L, NoDup L -> (forall s, In s L -> length s = m) ->
  (forall mask, length mask = m -> k <= ones mask -> ~ full L mask) -> length L <= below m k.
Proof.
  induction m as [|m IH]; intros k L N Len V.
  - destruct k.
    + destruct L as [|s L]; auto. exfalso. apply (V []); auto. intros [|] H; simpl in *; try lia. exists s. destruct s; simpl; auto.
    + pose proof (below_pos 0 k). assert (length L <= length [[] : list bool]); [|simpl in *; lia].
      apply NoDup_incl_length; auto. intros s I. specialize (Len s I). destruct s; simpl in *; [auto|lia].
  - destruct k as [|k].
    + destruct L as [|s L]; simpl; auto. exfalso. apply (V (repeat false (S m))); [apply repeat_length | lia |].
      intros t H. rewrite ones_none in H. destruct t; simpl in H; try lia. exists s. split; [now left | apply select_none].
    + set (one := tails true L). set (zero := tails false L).
      set (both := fun s => if in_dec vector_dec s one then true else false).
      set (D := filter both zero). set (U := one ++ filter (fun s => negb (both s)) zero).
      assert (Both : forall s, both s = true <-> In s one) by (intros s; unfold both; destruct in_dec; split; auto; discriminate).
      assert (LenT : forall b s, In s (tails b L) -> length s = m) by (intros b s I; apply in_tails, Len in I; simpl in I; lia).
      assert (E : length L = length U + length D).
      { rewrite (tails_length m L) by auto. fold one zero. unfold U, D. rewrite app_length.
        pose proof (filter_length both zero). lia. }
      assert (HU : length U <= below m (S k)).
      { apply IH.
        - apply NoDup_app_disjoint; [now apply NoDup_tails | apply NoDup_filter; now apply NoDup_tails |].
          intros s I J. apply filter_In in J as [_ J]. apply Both in I. rewrite I in J. discriminate.
        - intros s I. apply in_app_iff in I as [I|I]; [|apply filter_In in I as [I _]]; eauto.
        - intros mask M O S. apply (V (false :: mask)); simpl; auto. intros t H. destruct (S t H) as [s [I Q]].
          apply in_app_iff in I as [I|I]; [exists (true :: s) | apply filter_In in I as [I _]; exists (false :: s)];
            (split; [now apply in_tails | exact Q]). }
      assert (HD : length D <= below m k).
      { apply IH.
        - apply NoDup_filter. now apply NoDup_tails.
        - intros s I. apply filter_In in I as [I _]. eauto.
        - intros mask M O S. apply (V (true :: mask)); simpl; auto; try lia. intros [|b t] H; simpl in H; try lia.
          destruct (S t ltac:(lia)) as [s [I Q]]. apply filter_In in I as [I J]. apply Both in J.
          exists (b :: s). split; [destruct b; now apply in_tails | simpl; now f_equal]. }
      rewrite below_pascal. lia.
Qed.

(** * the lemma for a class *)
(** No k + 1 points are shattered, so m points have at most sum_(i <= k) C(m, i) labellings. *)
Theorem sauer_labellings {X} (dom : X -> Prop) F k xs L :
  (forall ys, Forall dom ys -> shatters F ys -> length ys <= k) ->
  Forall dom xs -> NoDup L -> (forall s, In s L -> labelling F xs s) -> length L <= below (length xs) (S k).
Proof.
  intros V D N I. apply sauer_vectors; auto; [intros s Hs; eapply labelling_length; eauto|].
  intros mask M O S. assert (Len : length (select mask xs) = ones mask) by (apply select_length; auto).
  assert (Q : shatters F (select mask xs)).
  { intros t Ht. rewrite Len in Ht. destruct (S t Ht) as [s [Is <-]]. destruct (I s Is) as [f [Ff <-]].
    exists f. split; auto. symmetry. apply select_map. }
  apply V in Q; [lia|]. rewrite Forall_forall in *. intros y Hy. apply D. eapply select_in; eauto.
Qed.
(** Lemma A.8, first half. *)
Theorem sauer_lemma {X} (dom : X -> Prop) F k m n : vc_dimension dom F k -> growth dom F m n -> n <= below m (S k).
Proof.
  intros V [[xs [D [<- [L [N [I <-]]]]]] _]. apply (sauer_labellings dom F k); auto; [|intros s Hs; now apply I].
  intros ys Dy S. now apply (vc_at_least dom F).
Qed.

(** * (e m / k)^k *)
Local Open Scope R_scope.
(** the sum times x^k is at most (1 + x)^m, x <= 1 *)
Lemma below_pow x m : 0 <= x <= 1 -> forall k, INR (below m (S k)) * x ^ k <= (1 + x) ^ m.
Proof.
  intros X. induction m; intros k.
  - replace (below 0 (S k)) with 1%nat by (induction k; cbn [below choose] in *; lia).
    simpl. rewrite Rmult_1_l. rewrite <- (pow1 k). apply pow_incr. lra.
  - assert (1 <= (1 + x) ^ S m) by (apply pow_R1_Rle; lra). destruct k.
    + cbn [below]. rewrite choose_0. simpl (INR _). simpl (x ^ 0). lra.
    + rewrite below_pascal, plus_INR. pose proof (IHm (S k)). pose proof (IHm k).
      replace ((1 + x) ^ S m) with ((1 + x) ^ m + x * (1 + x) ^ m) by (simpl; ring).
      replace (x ^ S k) with (x * x ^ k) in * by reflexivity.
      assert (x * (INR (below m (S k)) * x ^ k) <= x * (1 + x) ^ m) by (apply Rmult_le_compat_l; lra). lra.
Qed.
Theorem below_exponential m k : (k <= m)%nat -> INR (below m (S k)) <= (exp 1 * INR m / INR k) ^ k.
Proof.
  intros H. destruct k as [|k]; [simpl; rewrite choose_0; simpl; lra|]. set (k' := S k) in *.
  assert (K : 0 < INR k') by (apply lt_0_INR; unfold k'; lia). assert (M : INR k' <= INR m) by now apply le_INR.
  set (x := INR k' / INR m). assert (X0 : 0 < x) by (apply Rdiv_lt_0_compat; lra).
  assert (X1 : x <= 1). { unfold x. apply Rmult_le_reg_r with (INR m); [lra|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. }
  pose proof (below_pow x m ltac:(lra) k') as B.
  assert (E : (1 + x) ^ m <= exp 1 ^ k').
  { rewrite exp_times. replace (INR k' * 1) with (INR m * x) by (unfold x; field; lra). rewrite <- exp_times.
    apply pow_incr. pose proof (exp_above x). lra. }
  replace (exp 1 * INR m / INR k') with (exp 1 * / x) by (unfold x; field; lra).
  rewrite Rpow_mult_distr. assert (P : 0 < x ^ k') by (now apply pow_lt).
  apply Rmult_le_reg_r with (x ^ k'); auto. rewrite Rmult_assoc, <- Rpow_mult_distr, Rinv_l, pow1 by lra. lra.
Qed.
(** Lemma A.8, second half; the papers ask for m > k + 1. *)
Theorem sauer_exponential {X} (dom : X -> Prop) F k m n : vc_dimension dom F k -> growth dom F m n -> (k <= m)%nat ->
  INR n <= (exp 1 * INR m / INR k) ^ k.
Proof.
  intros V G H. apply Rle_trans with (INR (below m (S k))); [apply le_INR; eapply sauer_lemma; eauto | now apply below_exponential].
Qed.
