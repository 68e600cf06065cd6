(** Main theorems [eval_tooth]: the sawtooth network, g composed with itself s times, for every s; [saw_at]: on [k / 2^s, (k+1) / 2^s] it is
    affine, up or down between 0 and 1: 2^s pieces; [params_tooth]: depth s, 5 s parameters. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Squaring Multiplication Counts Composition.
Import ListNotations.
Open Scope R_scope.

Definition fold1 : net := Net [[([1], 0); ([1], - (1 / 2))]] [([2; -4], 0)].
Fixpoint tooth (s : nat) : net := match s with O => Net [] [([1], 0)] | S O => fold1 | S s' => compose fold1 (tooth s') end.
(** One fold more. *)
Lemma tooth_SS s : tooth (S (S s)) = compose fold1 (tooth (S s)).
Proof. reflexivity. Qed.
(** One fold. *)
Lemma eval_fold1 x : 0 <= x -> eval fold1 [x] = [g x].
Proof.
  intros X. unfold eval, fold1, run, step, affine. cbn [hidden readout fold_left map dot fst snd].
  replace (1 * x + 0 + 0) with x by lra. replace (1 * x + 0 + - (1 / 2)) with (x - 1 / 2) by lra. unfold g. f_equal. lra.
Qed.
(** The network's value. *)
Theorem eval_tooth s x : 0 <= x <= 1 -> eval (tooth s) [x] = [saw s x].
Proof.
  intros X. destruct s as [|s]; [unfold eval, run, affine; simpl; f_equal; lra|].
  induction s as [|s IH]; [cbn [tooth saw]; apply eval_fold1; lra|].
  rewrite tooth_SS, eval_compose, IH. cbn [saw]. apply eval_fold1. apply (saw_range (S s) x X).
Qed.
(** At k / 2^s + u / 2^s, 0 <= u <= 1, it is u for even k and 1 - u for odd k. *)
Theorem saw_at s : forall k u, (k < 2 ^ s)%nat -> 0 <= u <= 1 -> saw s ((INR k + u) / 2 ^ s) = if Nat.even k then u else 1 - u.
Proof.
  induction s as [|s IH]; intros k u K U.
  - simpl in K. assert (k = 0)%nat as -> by lia. simpl. lra.
  - rewrite saw_in. assert (P : 0 < 2 ^ s) by (apply pow_lt; lra). assert (P2 : INR (2 ^ s) = 2 ^ s) by now rewrite pow_INR.
    set (t := (INR k + u) / 2 ^ S s). assert (T : 2 ^ s * (2 * t) = INR k + u) by (unfold t; simpl pow; field; lra).
    assert (K0 : 0 <= INR k) by apply pos_INR.
    destruct (le_lt_dec (2 ^ s) k) as [H|H].
    + assert (H1 : 2 ^ s <= INR k) by (rewrite <- P2; now apply le_INR).
      assert (H2 : INR k + 1 <= 2 * 2 ^ s). { rewrite <- P2, <- S_INR. replace (2 * INR (2 ^ s)) with (INR (2 * 2 ^ s)) by (rewrite mult_INR; simpl; lra). apply le_INR. simpl in K. lia. }
      assert (T1 : 1 / 2 <= t) by nra. assert (G : g t = 2 - 2 * t) by (unfold g; relus; lra). rewrite G.
      replace (2 - 2 * t) with ((INR (2 * 2 ^ s - 1 - k) + (1 - u)) / 2 ^ s).
      2: { rewrite !minus_INR, mult_INR, P2 by (simpl in K; lia). simpl INR. apply Rmult_eq_reg_l with (2 ^ s); [|lra].
           replace (2 ^ s * (((1 + 1) * 2 ^ s - 1 - INR k + (1 - u)) / 2 ^ s)) with (2 * 2 ^ s - INR k - u) by (field; lra). lra. }
      rewrite IH by (simpl in K; lia || lra).
      assert (E : Nat.even (2 * 2 ^ s - 1 - k) = negb (Nat.even k)).
      { destruct (Nat.even k) eqn:Ek.
        - apply Nat.even_spec in Ek as [q ->]. simpl negb. rewrite <- Nat.negb_odd. apply Bool.negb_false_iff, Nat.odd_spec. exists (2 ^ s - 1 - q)%nat. simpl in K. lia.
        - assert (O : Nat.odd k = true) by (unfold Nat.odd; now rewrite Ek). apply Nat.odd_spec in O as [q ->]. simpl negb. apply Nat.even_spec. exists (2 ^ s - 1 - q)%nat. simpl in K. lia. }
      rewrite E. destruct (Nat.even k); simpl; lra.
    + assert (H1 : INR k + 1 <= 2 ^ s) by (rewrite <- P2, <- S_INR; now apply le_INR).
      assert (T1 : t <= 1 / 2) by nra. assert (T0 : 0 <= t) by nra. assert (G : g t = 2 * t) by (unfold g; relus; lra). rewrite G.
      replace (2 * t) with ((INR k + u) / 2 ^ s) by (rewrite <- T; field; lra). now apply IH.
Qed.
(** Size and depth. *)
Theorem params_tooth s : (1 <= s)%nat -> params (tooth s) = (5 * s)%nat /\ depth (tooth s) = s.
Proof.
  intros H. destruct s as [|s]; [lia|]. clear H. assert (A : hid (tooth (S s)) = (5 * s + 3)%nat /\ readout (tooth (S s)) = [([2; -4], 0)] /\ depth (tooth (S s)) = S s).
  { induction s as [|s [H [R Dp]]].
    - split; [|split; reflexivity]. unfold hid. cbn [tooth fold1 hidden]. unfold params_of. cbn [map list_sum fold_right]. counted.
    - rewrite tooth_SS. destruct (hid_compose fold1 (tooth (S s)) _ [] eq_refl) as [H1 R1]. rewrite H1, R1, H, R. split; [|split; [reflexivity|]].
      + rewrite (params_merge _ _ [2%nat]). 2: { replace 2%nat with (count [2; -4]) by counted. apply blocks_one. }
        cbn [map snd]. rewrite !score_cons, score_nil. cbn [wcount dot].
        rewrite (nz_1 1), (nz_eq (1 * 0 + 0 + 0) 0), nz_0, (nz_1 (1 * 0 + 0 + - (1 / 2))) by lra. cbn [params_of map list_sum fold_right]. lia.
      + rewrite depth_compose, Dp. reflexivity. }
  destruct A as [H [R Dp]]. split; auto. rewrite params_split, H. unfold out. rewrite R. replace (params_layer [([2; -4], 0)]) with 2%nat by counted. lia.
Qed.
