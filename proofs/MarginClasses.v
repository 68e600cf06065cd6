(** Main theorems [adv2] and [advK]: f_adv over any network of indicators, two labels and K classes: each training ball gets its label, if
    f_clean gives it on the balls that are not memorized. Instances: l_inf lean (K classes) [adv_lean_K], l_inf gate [adv_gate], [adv_gate_K],
    l_2 gate [adv_euclidean], [adv_euclidean_K], l_2 lean [adv_shared], [adv_shared_K]. All: all training points; S: the memorized ones. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Squaring EuclideanDistance Indicators Memorize MemorizeClasses MemorizeEuclidean MemorizeIndicators MemorizeGate MemorizeShared.
Import ListNotations.
Open Scope R_scope.

(** Decision y, strictly. *)
Definition decides (K y : nat) (v : vec) := forall k, (k < K)%nat -> k <> y -> nth k v 0 < nth y v 0.
(** A one-hot row decides. *)
Lemma decides_onehot K y : (y < K)%nat -> decides K y (map (fun k => if Nat.eqb k y then 1 else 0) (seq 0 K)).
Proof.
  intros Y k Hk N. assert (F : forall i, (i < K)%nat -> nth i (map (fun k => if Nat.eqb k y then 1 else 0) (seq 0 K)) 0 = if Nat.eqb i y then 1 else 0).
  { intros i Hi. rewrite (nth_indep _ 0 ((fun k => if Nat.eqb k y then 1 else 0) 0%nat)) by (rewrite map_length, seq_length; lia).
    now rewrite (map_nth (fun k => if Nat.eqb k y then 1 else 0)), seq_nth by lia. }
  rewrite !F, Nat.eqb_refl by auto. apply Nat.eqb_neq in N as ->. lra.
Qed.
Section Any.
Variables (ind : vec -> vec -> R) (B : R) (D : nat) (inds clean : net) (S : data) (x : vec).
Hypotheses (ind_ge0 : forall c x, 0 <= ind c x) (W : wf D clean) (L : length x = D) (I : eval inds x = map (fun cy => ind (fst cy) x) S).
Variables (c : vec) (y : nat).
(** No memorized ball of another label is near, and on its own ball an indicator is 1. *)
Hypotheses (Far : forall c' y', In (c', y') S -> y' <> y -> ind c' x = 0) (Near : In (c, y) S -> ind c x = 1).
(** Two labels: the ball has its label's sign. *)
Theorem adv2 v : length (readout clean) = 1%nat -> eval clean x = [v] -> Rabs v <= B -> (y < 2)%nat -> In (c, y) S \/ 0 < sign_of y * v ->
  exists f, eval (memorize2 B inds S clean) x = [f] /\ 0 < sign_of y * f.
Proof.
  intros O E Hb Y [IS|V].
  - exists (sign_of y). split; [|unfold sign_of; destruct Nat.eqb; lra].
    apply (memorize2_covered ind B D inds S ind_ge0 clean x W L I) with (c := c) (v := v); auto. repeat split; auto.
  - apply (memorize2_keeps ind B D inds S ind_ge0 clean x W L I) with (v := v); auto. pose proof (Rabs_pos v). lra.
Qed.
(** K classes: the ball is decided as its label. *)
Theorem advK K : length (readout clean) = K -> (forall k, Rabs (nth k (eval clean x) 0) <= B) -> (y < K)%nat ->
  In (c, y) S \/ decides K y (eval clean x) -> decides K y (eval (memorizeK B K inds S clean) x).
Proof.
  intros O Hb Y [IS|V].
  - rewrite (memorizeK_covered ind B D inds S ind_ge0 clean x W L I K O c y Y Hb) by (repeat split; auto). now apply decides_onehot.
  - intros k Hk N. now apply (memorizeK_keeps ind B D inds S ind_ge0 clean x W L I K O y Y Far V).
Qed.
End Any.

(** * l_inf *)
Section Linf.
Variables (a b delta B : R) (D : nat) (clean : net) (All S : data) (c : vec) (y : nat) (x : vec).
Hypotheses (Ha : 0 <= a) (Hab : a < b) (Hd : delta <= a) (W : wf D clean).
Hypotheses (DA : forall c y, In (c, y) All -> length c = D) (DS : forall c y, In (c, y) S -> length c = D).
(** Memorized centres of other labels are outer + delta away from this one. *)
Hypotheses (Sep : forall c' y', In (c', y') S -> y' <> y -> outside c' (b + delta) c) (IA : In (c, y) All) (Bx : in_ball c delta x).
(** Points of the ball have D coordinates. *)
Lemma linf_length : length x = D.
Proof. rewrite (in_ball_length _ _ _ Bx). eauto. Qed.
(** They are outside the outer balls of other labels. *)
Lemma linf_away c' y' : In (c', y') S -> y' <> y -> outside c' b x.
Proof. intros I' N. apply (outside_ball c c' delta); auto; [rewrite (DA _ _ IA), (DS _ _ I'); auto | eauto]. Qed.
(** Lean, K classes. *)
Theorem adv_lean_K K : length (readout clean) = K -> (forall k, Rabs (nth k (eval clean x) 0) <= B) -> (y < K)%nat ->
  In (c, y) S \/ decides K y (eval clean x) -> decides K y (eval (memorizeK B K (indicators a b D S) S clean) x).
Proof.
  intros O Hb Y C. apply (advK (indicator a b) B D (indicators a b D S) clean S x) with (c := c); auto using indicator_ge0, linf_length.
  - apply eval_indicators; auto using linf_length.
  - intros c' y' I' N. apply indicator_0; auto; [rewrite linf_length; symmetry; eauto | now apply (linf_away c' y')].
  - intros _. apply indicator_1. eapply in_ball_le; eauto.
Qed.
Hypotheses (D1 : (1 <= D)%nat) (X : Forall (Rle 0) x).
(** Indicators of other labels are 0. *)
Lemma gate_far_label c' y' : In (c', y') S -> y' <> y -> indI a b c' x = 0.
Proof. intros I' N. apply soft_0; auto. apply linf_far; [rewrite linf_length; symmetry; eauto | now apply (linf_away c' y')]. Qed.
(** The ball's own is 1. *)
Lemma gate_near : indI a b c x = 1.
Proof. apply soft_1; auto. apply linf_ball; auto. eapply in_ball_le; eauto. Qed.
(** Gate, two labels. *)
Theorem adv_gate v : length (readout clean) = 1%nat -> eval clean x = [v] -> Rabs v <= B -> (y < 2)%nat -> In (c, y) S \/ 0 < sign_of y * v ->
  exists f, eval (memorize2 B (gate_indicators a b D S) S clean) x = [f] /\ 0 < sign_of y * f.
Proof.
  intros O E Hb Y C. apply (adv2 (indI a b) B D (gate_indicators a b D S) clean S x) with (c := c) (v := v); auto using gate_near, linf_length.
  - intros; now apply indI_ge0.
  - apply eval_gate_indicators; auto using linf_length.
  - apply gate_far_label.
Qed.
(** Gate, K classes. *)
Theorem adv_gate_K K : length (readout clean) = K -> (forall k, Rabs (nth k (eval clean x) 0) <= B) -> (y < K)%nat ->
  In (c, y) S \/ decides K y (eval clean x) -> decides K y (eval (memorizeK B K (gate_indicators a b D S) S clean) x).
Proof.
  intros O Hb Y C. apply (advK (indI a b) B D (gate_indicators a b D S) clean S x) with (c := c); auto using gate_near, linf_length.
  - intros; now apply indI_ge0.
  - apply eval_gate_indicators; auto using linf_length.
  - apply gate_far_label.
Qed.
End Linf.

(** * l_2 *)
Section L2.
Variables (m D : nat) (a b r delta outer B : R) (norm : vec -> R) (clean : net) (All S : data) (c : vec) (y : nat) (x : vec).
Hypotheses (Hm : (1 <= m)%nat) (Hab : a < b) (Hb : b <= outer ^ 2) (Ho : 0 < outer) (Hd : 0 <= delta) (W : wf D clean).
Hypotheses (DA : forall c y, In (c, y) All -> length c = D /\ unit c) (L : length x = D) (U : unit x).
Hypotheses (Sep : forall c' y', In (c', y') S -> y' <> y -> (outer + delta) ^ 2 <= d2 c' c) (IA : In (c, y) All) (Bx : d2 c x <= delta ^ 2).
Section Gate.
Hypotheses (DS : forall c y, In (c, y) S -> length c = D /\ unit c) (Ha : delta ^ 2 + INR D * / 4 ^ (m + 1) <= a).
(** Indicators of other labels are 0. *)
Lemma euclidean_far_label c' y' : In (c', y') S -> y' <> y -> ind2 (phi m) a b c' x = 0.
Proof.
  intros I' N. destruct (DS c' y' I') as [Lc' Uc']. destruct (DA c y IA) as [Lc Uc]. apply soft_0; auto.
  pose proof (phi_error m c' x ltac:(congruence) Uc' U). pose proof (d2_far delta outer c c' x Ho Hd ltac:(congruence) ltac:(congruence) Bx (Sep c' y' I' N)). lra.
Qed.
(** The ball's own is 1. *)
Lemma euclidean_near : ind2 (phi m) a b c x = 1.
Proof. destruct (DA c y IA) as [Lc Uc]. apply soft_1; auto. pose proof (phi_error m c x ltac:(congruence) Uc U) as E. rewrite Lc in E. lra. Qed.
(** Gate, two labels. *)
Theorem adv_euclidean v : length (readout clean) = 1%nat -> eval clean x = [v] -> Rabs v <= B -> (y < 2)%nat -> In (c, y) S \/ 0 < sign_of y * v ->
  exists f, eval (memorize2 B (indicators2 m D a b S) S clean) x = [f] /\ 0 < sign_of y * f.
Proof.
  intros O E Hv Y C. apply (adv2 (ind2 (phi m) a b) B D (indicators2 m D a b S) clean S x) with (c := c) (v := v); auto using euclidean_near.
  - intros; now apply soft_ge0.
  - now apply eval_indicators2.
  - apply euclidean_far_label.
Qed.
(** Gate, K classes. *)
Theorem adv_euclidean_K K : length (readout clean) = K -> (forall k, Rabs (nth k (eval clean x) 0) <= B) -> (y < K)%nat ->
  In (c, y) S \/ decides K y (eval clean x) -> decides K y (eval (memorizeK B K (indicators2 m D a b S) S clean) x).
Proof.
  intros O Hv Y C. apply (advK (ind2 (phi m) a b) B D (indicators2 m D a b S) clean S x) with (c := c); auto using euclidean_near.
  - intros; now apply soft_ge0.
  - now apply eval_indicators2.
  - apply euclidean_far_label.
Qed.
End Gate.
Section Lean.
Hypotheses (DS : norms_hold D r norm S) (Ha : delta ^ 2 + (INR D * / 4 ^ (m + 1) + r) <= a).
(** Indicators of other labels are 0. *)
Lemma shared_far_label c' y' : In (c', y') S -> y' <> y -> indS m a b norm c' x = 0.
Proof.
  intros I' N. destruct (DS c' y' I') as [Lc' [Uc' Nc']]. destruct (DA c y IA) as [Lc Uc]. apply soft_0; auto.
  pose proof (phi_norm_error m r norm c' x ltac:(congruence) U Nc').
  pose proof (d2_far delta outer c c' x Ho Hd ltac:(congruence) ltac:(congruence) Bx (Sep c' y' I' N)). lra.
Qed.
(** The ball's own is 1. *)
Lemma shared_near : In (c, y) S -> indS m a b norm c x = 1.
Proof.
  intros I. destruct (DS c y I) as [Lc [Uc Nc]]. apply soft_1; auto. pose proof (phi_norm_error m r norm c x ltac:(congruence) U Nc) as E. rewrite Lc in E. lra.
Qed.
(** Lean, two labels. *)
Theorem adv_shared v : length (readout clean) = 1%nat -> eval clean x = [v] -> Rabs v <= B -> (y < 2)%nat -> In (c, y) S \/ 0 < sign_of y * v ->
  exists f, eval (memorize2 B (shared_indicators m D a b norm S) S clean) x = [f] /\ 0 < sign_of y * f.
Proof.
  intros O E Hv Y C. apply (adv2 (indS m a b norm) B D (shared_indicators m D a b norm S) clean S x) with (c := c) (v := v); auto using shared_near.
  - intros; now apply indS_ge0.
  - now apply eval_shared_indicators with (r := r).
  - apply shared_far_label.
Qed.
(** Lean, K classes. *)
Theorem adv_shared_K K : length (readout clean) = K -> (forall k, Rabs (nth k (eval clean x) 0) <= B) -> (y < K)%nat ->
  In (c, y) S \/ decides K y (eval clean x) -> decides K y (eval (memorizeK B K (shared_indicators m D a b norm S) S clean) x).
Proof.
  intros O Hv Y C. apply (advK (indS m a b norm) B D (shared_indicators m D a b norm S) clean S x) with (c := c); auto using shared_near.
  - intros; now apply indS_ge0.
  - now apply eval_shared_indicators with (r := r).
  - apply shared_far_label.
Qed.
End Lean.
End L2.
