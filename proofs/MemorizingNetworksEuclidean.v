(** CGRM, Corollary 3.4 for p = 2: the ReLU networks of f_adv with squared distances of one-sided error, on every finite population and
    every sample ([euclidean_errors], for any network of such indicators): variant gate ([euclidean_gate_errors]) and lean, with shared squares
    ([euclidean_lean_errors]); robust training error 0, clean test error 0, robust test error between kappa mu and mu where at most a
    share 1 - kappa of mu is hidden (see MemorizingNetworks). With M = S, all training points memorized, it is CGRO's Theorem 5.2 = D.1. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks EuclideanDistance Indicators Memorize MemorizeEuclidean MemorizeIndicators MemorizeShared Norms MarginAndBoundary
  MemorizingClassifiers MemorizingNetworks.
Import ListNotations.
Open Scope R_scope.

Lemma l2_at_most c z r : 0 <= r -> dist (finite 2) c z <= r -> d2 c z <= r ^ 2.
Proof.
  intros R H. rewrite dist_2 in H. rewrite <- (sqrt_sqrt (d2 c z)) by apply d2_ge0. pose proof (sqrt_pos (d2 c z)).
  replace (r ^ 2) with (r * r) by ring. now apply Rmult_le_compat.
Qed.
Lemma l2_at_least c z r : 0 <= r -> r <= dist (finite 2) c z -> r ^ 2 <= d2 c z.
Proof.
  intros R H. rewrite dist_2 in H. rewrite <- (sqrt_sqrt (d2 c z)) by apply d2_ge0. replace (r ^ 2) with (r * r) by ring. now apply Rmult_le_compat.
Qed.

(** Thresholds a >= delta^2 + error and b <= outer^2 of a squared distance whose error is in [0, error]; inputs in the unit cube. *)
Theorem euclidean_errors (distance : vec -> vec -> R) (inds : net) a b delta outer error B d clean (dom : vec -> Prop) (M S : data) (pop : population) kappa :
  0 <= delta -> 0 <= outer -> a < b -> delta ^ 2 + error <= a -> b <= outer ^ 2 ->
  (forall z, dom z -> unit z) ->
  (forall c y z, In (c, y) M -> space d c -> unit c -> space d z -> unit z -> 0 <= distance c z - d2 c z <= error) ->
  (forall z, (forall c y, In (c, y) M -> space d c /\ unit c) -> space d z -> unit z -> eval inds z = map (fun cy => soft a b (distance (fst cy) z)) M) ->
  wf d clean -> length (readout clean) = 1%nat -> (forall z, space d z -> dom z -> Rabs (output clean z) <= B) ->
  weights pop -> (forall w x s, In (w, (x, s)) pop -> (s = 1 \/ s = -1) /\ space d x /\ dom x /\ 0 < s * output clean x) ->
  (forall x y, In (x, y) S -> (y < 2)%nat /\ exists w, In (w, (x, sign_of y)) pop) ->
  (forall w x s w' c t, In (w, (x, s)) pop -> In (w', (c, t)) pop -> t <> s -> outer + delta <= dist (finite 2) x c) ->
  incl M S -> (forall x y, In (x, y) S -> In (x, y) M \/ ~ small (finite 2) d dom delta (output clean) x (sign_of y)) ->
  let f := output (memorize2 B inds M clean) in let mu := robust_error (finite 2) d dom delta (output clean) pop in
  robust_error (finite 2) d dom delta f (uniform (signed S)) = 0 /\ clean_error f pop = 0 /\ robust_error (finite 2) d dom delta f pop <= mu /\
  (mass (hidden (finite 2) d dom delta (before outer) (output clean) (signed M)) pop <= (1 - kappa) * mu -> kappa * mu <= robust_error (finite 2) d dom delta f pop).
Proof.
  intros D0 O0 Hab Ha Hb Un Err Ev Wf One Bound W Pop SP Sep Inc MS f mu.
  assert (Sc : forall c y, In (c, y) M -> space d c /\ unit c).
  { intros c y I. destruct (SP c y (Inc _ I)) as [_ [w J]]. destruct (Pop _ _ _ J) as [_ [Q [Dc _]]]. split; auto. }
  apply (indicators_errors (finite 2) d dom delta outer B (fun c z => soft a b (distance c z)) (output clean) f M); auto.
  - simpl. lra.
  - intros. now apply soft_ge0.
  - intros c y z I [Sz [Dz R]]. destruct (Sc c y I) as [Lc Uc]. apply soft_1; auto. pose proof (Err c y z I Lc Uc Sz (Un z Dz)).
    pose proof (l2_at_most c z delta D0 R). lra.
  - intros c y z I Sz Dz H. destruct (Sc c y I) as [Lc Uc]. apply soft_0; auto. pose proof (Err c y z I Lc Uc Sz (Un z Dz)).
    pose proof (l2_at_least c z outer O0 H). lra.
  - intros c y I. apply (SP c y (Inc _ I)).
  - intros z Sz Dz. unfold f, output at 1.
    rewrite (eval_memorize2 (fun c z => soft a b (distance c z)) B d inds M (fun _ _ => soft_ge0 a b _ Hab) clean z (output clean z)); auto. now apply one_output.
Qed.
(** variant gate: a squared distance for each centre, m squaring layers *)
Theorem euclidean_gate_errors m a b delta outer B d clean (dom : vec -> Prop) (M S : data) (pop : population) kappa :
  (1 <= m)%nat -> 0 <= delta -> 0 <= outer -> a < b -> delta ^ 2 + INR d * / 4 ^ (m + 1) <= a -> b <= outer ^ 2 -> (forall z, dom z -> unit z) ->
  wf d clean -> length (readout clean) = 1%nat -> (forall z, space d z -> dom z -> Rabs (output clean z) <= B) ->
  weights pop -> (forall w x s, In (w, (x, s)) pop -> (s = 1 \/ s = -1) /\ space d x /\ dom x /\ 0 < s * output clean x) ->
  (forall x y, In (x, y) S -> (y < 2)%nat /\ exists w, In (w, (x, sign_of y)) pop) ->
  (forall w x s w' c t, In (w, (x, s)) pop -> In (w', (c, t)) pop -> t <> s -> outer + delta <= dist (finite 2) x c) ->
  incl M S -> (forall x y, In (x, y) S -> In (x, y) M \/ ~ small (finite 2) d dom delta (output clean) x (sign_of y)) ->
  let f := output (memorize2 B (indicators2 m d a b M) M clean) in let mu := robust_error (finite 2) d dom delta (output clean) pop in
  robust_error (finite 2) d dom delta f (uniform (signed S)) = 0 /\ clean_error f pop = 0 /\ robust_error (finite 2) d dom delta f pop <= mu /\
  (mass (hidden (finite 2) d dom delta (before outer) (output clean) (signed M)) pop <= (1 - kappa) * mu -> kappa * mu <= robust_error (finite 2) d dom delta f pop).
Proof.
  intros Hm. intros. apply (euclidean_errors (phi m) (indicators2 m d a b M) a b delta outer (INR d * / 4 ^ (m + 1)) B d clean dom M S pop kappa); auto.
  - intros c y z _ Lc Uc Lz Uz. unfold space in *. rewrite <- Lc. apply phi_error; auto. congruence.
  - intros z H' Lz Uz. now apply eval_indicators2.
Qed.
(** variant lean: squares shared by all centres, norm c the stored ||c||^2, rounded upwards by at most r *)
Theorem euclidean_lean_errors m a b r (norm : vec -> R) delta outer B d clean (dom : vec -> Prop) (M S : data) (pop : population) kappa :
  (1 <= m)%nat -> 0 <= delta -> 0 <= outer -> a < b -> delta ^ 2 + (INR d * / 4 ^ (m + 1) + r) <= a -> b <= outer ^ 2 -> (forall z, dom z -> unit z) ->
  (forall c y, In (c, y) M -> dot c c <= norm c <= dot c c + r) ->
  wf d clean -> length (readout clean) = 1%nat -> (forall z, space d z -> dom z -> Rabs (output clean z) <= B) ->
  weights pop -> (forall w x s, In (w, (x, s)) pop -> (s = 1 \/ s = -1) /\ space d x /\ dom x /\ 0 < s * output clean x) ->
  (forall x y, In (x, y) S -> (y < 2)%nat /\ exists w, In (w, (x, sign_of y)) pop) ->
  (forall w x s w' c t, In (w, (x, s)) pop -> In (w', (c, t)) pop -> t <> s -> outer + delta <= dist (finite 2) x c) ->
  incl M S -> (forall x y, In (x, y) S -> In (x, y) M \/ ~ small (finite 2) d dom delta (output clean) x (sign_of y)) ->
  let f := output (memorize2 B (shared_indicators m d a b norm M) M clean) in let mu := robust_error (finite 2) d dom delta (output clean) pop in
  robust_error (finite 2) d dom delta f (uniform (signed S)) = 0 /\ clean_error f pop = 0 /\ robust_error (finite 2) d dom delta f pop <= mu /\
  (mass (hidden (finite 2) d dom delta (before outer) (output clean) (signed M)) pop <= (1 - kappa) * mu -> kappa * mu <= robust_error (finite 2) d dom delta f pop).
Proof.
  intros Hm D0 O0 Hab Ha Hb Un Nm. intros.
  apply (euclidean_errors (phi_norm m norm) (shared_indicators m d a b norm M) a b delta outer (INR d * / 4 ^ (m + 1) + r) B d clean dom M S pop kappa); auto.
  - intros c y z I Lc Uc Lz Uz. unfold space in *. rewrite <- Lc. apply phi_norm_error; auto; [congruence | now apply (Nm c y)].
  - intros z H' Lz Uz. apply (eval_shared_indicators m d a b r norm Hm Hab M z); auto. intros c y I. destruct (H' c y I). repeat split; auto; apply (Nm c y I).
Qed.
