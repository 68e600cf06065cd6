(** CGRM, Corollary 3.4 (l_inf): the ReLU network [memorize] on the training points of margin <= delta, on every finite population and
    every sample ([network_errors]): robust training error 0 and clean test error 0, not only o(1); robust test error at most mu, f_clean's,
    and at least kappa mu where at most a share 1 - kappa of mu is hidden: hidden are those small-margin points on whose ball all errors
    of f_clean lie nearer than the outer threshold to memorized points ([network_far]: none that is outer + delta away from them).
    With all training points memorized it is CGRO's Theorem 5.2 = D.1 ([f_S_errors]). How many weights it has is counted elsewhere. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Indicators Memorize MemorizeMargin Norms MarginAndBoundary MemorizingClassifiers.
Import ListNotations.
Open Scope R_scope.

Lemma ball_dist c r : forall x, length x = length c -> dist infinite c x <= r -> in_ball c r x.
Proof.
  unfold dist, in_ball. simpl. induction c as [|a c IH]; intros [|v x] L H; simpl in *; try lia; constructor.
  - eapply Rle_trans; [apply Rmax_l | exact H].
  - apply IH; [lia|]. eapply Rle_trans; [apply Rmax_r | exact H].
Qed.
Lemma outside_dist c r : 0 < r -> forall x, length x = length c -> r <= dist infinite c x -> outside c r x.
Proof.
  intros R. unfold dist, outside. simpl. induction c as [|a c IH]; intros [|v x] L H; simpl in *; try lia; [lra|].
  destruct (Rle_dec r (Rabs (v - a))) as [K|K].
  - exists O. split; [lia | auto].
  - destruct (IH x ltac:(lia)) as [j [J Q]].
    + unfold Rmax in H. destruct Rle_dec in H; lra.
    + exists (S j). split; [lia | auto].
Qed.
Definition signed (M : data) : list labelled := map (fun cy => (fst cy, sign_of (snd cy))) M.
Section Network.
Variables (inner outer B delta : R) (d : nat) (clean : net) (M : data) (dom : vec -> Prop).
Hypotheses (Hi : 0 <= delta <= inner) (Hio : inner < outer).
Hypotheses (Wf : wf d clean) (One : length (readout clean) = 1%nat) (Bound : forall z, space d z -> dom z -> Rabs (output clean z) <= B).
Hypothesis points : forall c y, In (c, y) M -> length c = d /\ (y < 2)%nat.
Definition before (t : R) := t < outer.
Definition f_net : vec -> R := output (memorize inner outer B d clean M).

Lemma in_signed c y : In (c, y) M -> In (c, sign_of y) (signed M).
Proof. intros I. apply in_map_iff. now exists (c, y). Qed.
Lemma signed_in c s : In (c, s) (signed M) -> exists y, In (c, y) M /\ s = sign_of y.
Proof. intros I. apply in_map_iff in I as [[c' y] [E I]]. inversion E; subst. eauto. Qed.
Lemma f_net_value z : space d z -> f_net z = f_S2 (indicator inner outer) B (fun _ => output clean z) M z.
Proof.
  intros Sz. assert (E : exists v, eval clean z = [v]).
  { assert (L : length (eval clean z) = 1%nat) by (unfold eval; now rewrite affine_length).
    destruct (eval clean z) as [|v [|]]; simpl in L; try lia. now exists v. }
  destruct E as [v E]. unfold f_net, output at 1. rewrite (eval_memorize inner outer B d ltac:(lra) Hio clean M z v); auto.
  - simpl. unfold output. now rewrite E.
  - intros c y I. now apply (points c y).
Qed.
Lemma far_indicator c y z : In (c, y) M -> space d z -> ~ before (dist infinite c z) -> indicator inner outer c z = 0.
Proof.
  intros I Sz N. destruct (points c y I) as [Lc _]. unfold before in N. unfold space in Sz. apply indicator_0; try lra; try congruence.
  apply outside_dist; try lra; congruence.
Qed.
Lemma others_far y z : (y < 2)%nat -> space d z -> consistent infinite before (signed M) (sign_of y) z ->
  forall c y', In (c, y') M -> y' <> y -> indicator inner outer c z = 0.
Proof.
  intros Y Sz C c y' I N. apply (far_indicator c y'); auto. intros L. pose proof (C c (sign_of y') (in_signed _ _ I) L) as E.
  destruct (points c y' I) as [_ Y']. unfold sign_of in E. destruct y as [|[|]], y' as [|[|]]; simpl in E; try lia; lra.
Qed.
Theorem network_memorizes : memorizing infinite d dom delta before (output clean) f_net (signed M).
Proof.
  constructor.
  - intros c s z I [Sz [Dz D]] C. destruct (signed_in c s I) as [y [J ->]]. destruct (points c y J) as [Lc Y].
    rewrite f_net_value by auto. rewrite (f_S2_on_ball _ B (indicator_ge0 inner outer) M _ c y); auto.
    + unfold sign_of. destruct Nat.eqb; lra.
    + repeat split; auto; [|now apply others_far]. apply indicator_1. apply (in_ball_le c delta); [lra|].
      apply ball_dist; auto. unfold space in Sz. congruence.
  - intros z Sz Dz N. rewrite f_net_value by auto. apply (f_S2_outside (indicator inner outer) B M (fun _ => output clean z)).
    intros c y I. apply (far_indicator c y); auto. intros L. apply N. exists c, (sign_of y). split; auto. now apply in_signed.
  - intros s z Ys Sz Dz C L. assert (E : exists y, (y < 2)%nat /\ s = sign_of y).
    { destruct Ys as [-> | ->]; [exists 0%nat | exists 1%nat]; split; auto. }
    destruct E as [y [Y ->]]. rewrite f_net_value by auto.
    apply (f_S2_keeps _ B (indicator_ge0 inner outer) M (fun _ => output clean z)); auto; [|now apply others_far].
    pose proof (Rabs_pos (output clean z)). pose proof (Bound z Sz Dz). lra.
Qed.
(** Corollary 3.4, l_inf: the population's labels are R apart, R >= outer + delta, delta <= inner < outer (there is room as delta < R/2). *)
Theorem network_errors (pop : population) (S : data) kappa :
  weights pop -> (forall w x s, In (w, (x, s)) pop -> (s = 1 \/ s = -1) /\ space d x /\ dom x /\ 0 < s * output clean x) ->
  (forall x y, In (x, y) S -> exists w, In (w, (x, sign_of y)) pop) ->
  (forall w x s w' c t, In (w, (x, s)) pop -> In (w', (c, t)) pop -> t <> s -> outer + delta <= dist infinite x c) ->
  incl M S -> (forall x y, In (x, y) S -> (y < 2)%nat) ->
  (forall x y, In (x, y) S -> In (x, y) M \/ ~ small infinite d dom delta (output clean) x (sign_of y)) ->
  let mu := robust_error infinite d dom delta (output clean) pop in
  robust_error infinite d dom delta f_net (uniform (signed S)) = 0 /\ clean_error f_net pop = 0 /\
  robust_error infinite d dom delta f_net pop <= mu /\
  (mass (hidden infinite d dom delta before (output clean) (signed M)) pop <= (1 - kappa) * mu -> kappa * mu <= robust_error infinite d dom delta f_net pop).
Proof.
  intros W Pop SP Sep Inc YS MS mu.
  assert (PC : forall w x s z, In (w, (x, s)) pop -> in_reach infinite d dom delta x z -> consistent infinite before (signed M) s z).
  { intros w x s z I [Sz [Dz R]] c t J L. destruct (signed_in c t J) as [y [K ->]]. destruct (SP c y (Inc _ K)) as [w' I'].
    destruct (Req_dec (sign_of y) s) as [|N]; auto. exfalso. pose proof (Sep w x s w' c (sign_of y) I I' N) as H.
    destruct (Pop w x s I) as [_ [Sx _]]. destruct (Pop w' c _ I') as [_ [Sc _]]. unfold before in L.
    pose proof (dist_triangle infinite d x z c Logic.I Sx Sz Sc) as T. rewrite (dist_sym infinite z c Logic.I) in T. lra. }
  destruct (memorizing_errors infinite d dom delta before (output clean) f_net (signed M) network_memorizes pop (signed S)) as [A [Cl [Lo Up]]]; auto.
  - intros x s I. apply in_map_iff in I as [[x' y] [E I]]. inversion E; subst. unfold sign_of. simpl. destruct Nat.eqb; auto.
  - intros x s I. apply in_map_iff in I as [[x' y] [E I]]. simpl in E. inversion E; subst. destruct (MS x y I) as [J|J]; auto. left. now apply in_signed.
  - intros x s z I R. apply in_map_iff in I as [[x' y] [E I]]. simpl in E. inversion E; subst. destruct (SP x y I) as [w J]. eauto.
  - intros w x s I. destruct (Pop w x s I) as [Y [Sx [Dx Cx]]]. repeat split; auto. apply (PC w x s x I). repeat split; auto.
    rewrite dist_same by exact Logic.I. lra.
  - repeat split; auto. intros H. fold mu. apply (share_left mu (mass (hidden infinite d dom delta before (output clean) (signed M)) pop)); auto.
Qed.
(** Small-margin points at least outer + delta away from all memorized ones count in full. *)
Theorem network_far (pop : population) : weights pop -> (forall w x s, In (w, (x, s)) pop -> space d x) ->
  mass (fun x s => small infinite d dom delta (output clean) x s /\ forall c y, In (c, y) M -> outer + delta <= dist infinite c x) pop
    <= robust_error infinite d dom delta f_net pop.
Proof.
  intros W Sp. apply mass_le; auto. intros w x s I [[z [[Sz [Dz R]] Wz]] Far].
  apply (exposed_fooled infinite d dom delta before (output clean) f_net (signed M) network_memorizes).
  exists z. repeat split; auto. intros [c [t [J L]]]. destruct (signed_in c t J) as [y [K _]]. specialize (Far c y K). unfold before in L.
  pose proof (dist_triangle infinite d c z x Logic.I (proj1 (points c y K)) Sz (Sp w x s I)) as T. rewrite (dist_sym infinite z x Logic.I) in T. lra.
Qed.
End Network.
(** CGRO, Theorem 5.2 = D.1 (l_inf, two labels): f_S, which memorizes the whole sample, under Assumption 5.1: labels more than 2 delta
    apart (outer = R - delta > delta), f_clean without clean error and with robust error mu. *)
Theorem f_S_errors inner outer B delta d clean (dom : vec -> Prop) (pop : population) (S : data) kappa :
  0 <= delta <= inner -> inner < outer -> wf d clean -> length (readout clean) = 1%nat ->
  (forall z, space d z -> dom z -> Rabs (output clean z) <= B) ->
  weights pop -> (forall w x s, In (w, (x, s)) pop -> (s = 1 \/ s = -1) /\ space d x /\ dom x /\ 0 < s * output clean x) ->
  (forall x y, In (x, y) S -> (y < 2)%nat /\ exists w, In (w, (x, sign_of y)) pop) ->
  (forall w x s w' c t, In (w, (x, s)) pop -> In (w', (c, t)) pop -> t <> s -> outer + delta <= dist infinite x c) ->
  let f := f_net inner outer B d clean S in let mu := robust_error infinite d dom delta (output clean) pop in
  robust_error infinite d dom delta f (uniform (signed S)) = 0 /\ clean_error f pop = 0 /\ robust_error infinite d dom delta f pop <= mu /\
  (mass (hidden infinite d dom delta (before outer) (output clean) (signed S)) pop <= (1 - kappa) * mu -> kappa * mu <= robust_error infinite d dom delta f pop).
Proof.
  intros Hi Hio Wf One Bound W Pop SP Sep. apply network_errors; auto.
  - intros x y I. destruct (SP x y I) as [Y [w J]]. destruct (Pop w x _ J) as [_ [Sx _]]. auto.
  - intros x y I. apply (SP x y I).
  - apply incl_refl.
  - intros x y I. apply (SP x y I).
Qed.
