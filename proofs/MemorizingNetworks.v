(** CGRM, Corollary 3.4: f_adv with soft indicators as ReLU networks compute it (f_S2 of Indicators.v), on every finite population and
    every sample: robust training error 0 and clean test error 0, not only o(1); robust test error at most mu, f_clean's, and at least
    kappa mu where at most a share 1 - kappa of mu is hidden: hidden are those small-margin points on whose ball all errors of f_clean
    lie nearer than the outer threshold to memorized points ([indicators_far]: none that is outer + delta away from them).
    [indicators_errors]: for any norm and indicators that are 1 on the balls and 0 from the outer threshold on. [network_errors]: the
    network [memorize] (l_inf, lean). [network_S_errors]: it with all training points memorized, CGRO's Theorem 5.2 = D.1.
    How many weights the networks have is counted elsewhere. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Indicators Memorize MemorizeMargin Norms MarginAndBoundary MemorizingClassifiers.
Import ListNotations.
Open Scope R_scope.

(** labels 0 and 1 as +1 and -1 *)
Definition signed (M : data) : list labelled := map (fun cy => (fst cy, sign_of (snd cy))) M.
Lemma in_signed M c y : In (c, y) M -> In (c, sign_of y) (signed M).
Proof. intros I. apply in_map_iff. now exists (c, y). Qed.
Lemma signed_in M c s : In (c, s) (signed M) -> exists y, In (c, y) M /\ s = sign_of y.
Proof. intros I. apply in_map_iff in I as [[c' y] [E I]]. inversion E; subst. eauto. Qed.

Section Indicators.
Variables (e : exponent) (d : nat) (dom : vec -> Prop) (delta outer B : R) (ind : vec -> vec -> R) (clean f : vec -> R) (M : data).
Hypotheses (E : is_exponent e) (ind_ge0 : forall c z, 0 <= ind c z).
Hypothesis ind_ball : forall c y z, In (c, y) M -> in_reach e d dom delta c z -> ind c z = 1.
Hypothesis ind_far : forall c y z, In (c, y) M -> space d z -> dom z -> outer <= dist e c z -> ind c z = 0.
Hypothesis Bound : forall z, space d z -> dom z -> Rabs (clean z) <= B.
Hypothesis labels : forall c y, In (c, y) M -> (y < 2)%nat.
Hypothesis value : forall z, space d z -> dom z -> f z = f_S2 ind B (fun _ => clean z) M z.
(** within the outer threshold *)
Definition before (t : R) := t < outer.

Lemma not_before c y z : In (c, y) M -> space d z -> dom z -> ~ before (dist e c z) -> ind c z = 0.
Proof. intros I Sz Dz N. apply (ind_far c y); auto. unfold before in N. lra. Qed.
Lemma others_far y z : (y < 2)%nat -> space d z -> dom z -> consistent e before (signed M) (sign_of y) z ->
  forall c y', In (c, y') M -> y' <> y -> ind c z = 0.
Proof.
  intros Y Sz Dz C c y' I N. apply (not_before c y'); auto. intros L. pose proof (C c (sign_of y') (in_signed _ _ _ I) L) as Q.
  pose proof (labels c y' I) as Y'. unfold sign_of in Q. destruct y as [|[|]], y' as [|[|]]; simpl in Q; try lia; lra.
Qed.
Theorem indicators_memorize : memorizing e d dom delta before clean f (signed M).
Proof.
  constructor.
  - intros c s z I R C. destruct (signed_in M c s I) as [y [J ->]]. pose proof R as [Sz [Dz _]]. pose proof (labels c y J) as Y.
    rewrite value by auto. rewrite (f_S2_on_ball _ B ind_ge0 M _ c y); auto.
    + unfold sign_of. destruct Nat.eqb; lra.
    + repeat split; eauto. now apply others_far.
  - intros z Sz Dz N. rewrite value by auto. apply (f_S2_outside ind B M (fun _ => clean z)).
    intros c y I. apply (not_before c y); auto. intros L. apply N. exists c, (sign_of y). split; auto. now apply in_signed.
  - intros s z Ys Sz Dz C L. assert (Q : exists y, (y < 2)%nat /\ s = sign_of y).
    { destruct Ys as [-> | ->]; [exists 0%nat | exists 1%nat]; split; auto. }
    destruct Q as [y [Y ->]]. rewrite value by auto.
    apply (f_S2_keeps _ B ind_ge0 M (fun _ => clean z)); auto; [|now apply others_far].
    pose proof (Rabs_pos (clean z)). pose proof (Bound z Sz Dz). lra.
Qed.
(** Corollary 3.4: the population's labels are at least outer + delta apart (with R > 2 delta there is room: outer = R - delta > delta). *)
Theorem indicators_errors (pop : population) (S : data) kappa :
  0 <= delta -> weights pop -> (forall w x s, In (w, (x, s)) pop -> (s = 1 \/ s = -1) /\ space d x /\ dom x /\ 0 < s * clean x) ->
  (forall x y, In (x, y) S -> (y < 2)%nat /\ exists w, In (w, (x, sign_of y)) pop) ->
  (forall w x s w' c t, In (w, (x, s)) pop -> In (w', (c, t)) pop -> t <> s -> outer + delta <= dist e x c) ->
  incl M S -> (forall x y, In (x, y) S -> In (x, y) M \/ ~ small e d dom delta clean x (sign_of y)) ->
  let mu := robust_error e d dom delta clean pop in
  robust_error e d dom delta f (uniform (signed S)) = 0 /\ clean_error f pop = 0 /\ robust_error e d dom delta f pop <= mu /\
  (mass (hidden e d dom delta before clean (signed M)) pop <= (1 - kappa) * mu -> kappa * mu <= robust_error e d dom delta f pop).
Proof.
  intros D0 W Pop SP Sep Inc MS mu.
  assert (PC : forall w x s z, In (w, (x, s)) pop -> in_reach e d dom delta x z -> consistent e before (signed M) s z).
  { intros w x s z I [Sz [Dz R]] c t J L. destruct (signed_in M c t J) as [y [K ->]]. destruct (SP c y (Inc _ K)) as [_ [w' I']].
    destruct (Req_dec (sign_of y) s) as [|N]; auto. exfalso. pose proof (Sep w x s w' c (sign_of y) I I' N) as H.
    destruct (Pop w x s I) as [_ [Sx _]]. destruct (Pop w' c _ I') as [_ [Sc _]]. unfold before in L.
    pose proof (dist_triangle e d x z c E Sx Sz Sc) as T. rewrite (dist_sym e z c E) in T. lra. }
  destruct (memorizing_errors e d dom delta before clean f (signed M) indicators_memorize pop (signed S)) as [A [Cl [Lo Up]]]; auto.
  - intros x s I. apply in_map_iff in I as [[x' y] [Q I]]. inversion Q; subst. unfold sign_of. simpl. destruct Nat.eqb; auto.
  - intros x s I. apply in_map_iff in I as [[x' y] [Q I]]. simpl in Q. inversion Q; subst. destruct (MS x y I) as [J|J]; auto. left. now apply in_signed.
  - intros x s z I R. apply in_map_iff in I as [[x' y] [Q I]]. simpl in Q. inversion Q; subst. destruct (SP x y I) as [_ [w J]]. eauto.
  - intros w x s I. destruct (Pop w x s I) as [Y [Sx [Dx Cx]]]. repeat split; auto. apply (PC w x s x I). repeat split; auto.
    rewrite dist_same by exact E. lra.
  - split; [exact A|]. split; [exact Cl|]. split; [now apply Up|]. intros H. fold mu.
    apply (share_left mu (mass (hidden e d dom delta before clean (signed M)) pop)); auto.
Qed.
(** Small-margin points at least outer + delta away from all memorized ones count in full. *)
Theorem indicators_far (pop : population) : weights pop -> (forall w x s, In (w, (x, s)) pop -> space d x) -> (forall c y, In (c, y) M -> space d c) ->
  mass (fun x s => small e d dom delta clean x s /\ forall c y, In (c, y) M -> outer + delta <= dist e c x) pop <= robust_error e d dom delta f pop.
Proof.
  intros W Sp Sc. apply mass_le; auto. intros w x s I [[z [[Sz [Dz R]] Wz]] Far].
  apply (exposed_fooled e d dom delta before clean f (signed M) indicators_memorize).
  exists z. repeat split; auto. intros [c [t [J L]]]. destruct (signed_in M c t J) as [y [K _]]. specialize (Far c y K). unfold before in L.
  pose proof (dist_triangle e d c z x E (Sc c y K) Sz (Sp w x s I)) as T. rewrite (dist_sym e z x E) in T. lra.
Qed.
End Indicators.

(** * the network [memorize]: l_inf, lean *)
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
(** the value of a network with one output *)
Lemma one_output n z : length (readout n) = 1%nat -> eval n z = [output n z].
Proof.
  intros O. assert (L : length (eval n z) = 1%nat) by (unfold eval; now rewrite affine_length). unfold output.
  destruct (eval n z) as [|v [|]]; simpl in L; try lia. reflexivity.
Qed.
(** Corollary 3.4 for p = oo: outer + delta <= R, delta <= inner < outer. *)
Theorem network_errors inner outer B delta d clean (dom : vec -> Prop) (M S : data) (pop : population) kappa :
  0 <= delta <= inner -> inner < outer -> wf d clean -> length (readout clean) = 1%nat ->
  (forall z, space d z -> dom z -> Rabs (output clean z) <= B) ->
  weights pop -> (forall w x s, In (w, (x, s)) pop -> (s = 1 \/ s = -1) /\ space d x /\ dom x /\ 0 < s * output clean x) ->
  (forall x y, In (x, y) S -> (y < 2)%nat /\ exists w, In (w, (x, sign_of y)) pop) ->
  (forall w x s w' c t, In (w, (x, s)) pop -> In (w', (c, t)) pop -> t <> s -> outer + delta <= dist infinite x c) ->
  incl M S -> (forall x y, In (x, y) S -> In (x, y) M \/ ~ small infinite d dom delta (output clean) x (sign_of y)) ->
  let f := output (memorize inner outer B d clean M) in let mu := robust_error infinite d dom delta (output clean) pop in
  robust_error infinite d dom delta f (uniform (signed S)) = 0 /\ clean_error f pop = 0 /\ robust_error infinite d dom delta f pop <= mu /\
  (mass (hidden infinite d dom delta (before outer) (output clean) (signed M)) pop <= (1 - kappa) * mu -> kappa * mu <= robust_error infinite d dom delta f pop).
Proof.
  intros Hi Hio Wf One Bound W Pop SP Sep Inc MS f mu.
  assert (Sc : forall c y, In (c, y) M -> space d c) by (intros c y I; destruct (SP c y (Inc _ I)) as [_ [w J]]; now destruct (Pop _ _ _ J) as [_ [Q _]]).
  apply (indicators_errors infinite d dom delta outer B (indicator inner outer) (output clean) f M); auto; try exact Logic.I; try lra.
  - intros. apply indicator_ge0.
  - intros c y z I [Sz [Dz R]]. apply indicator_1. apply (in_ball_le c delta); [lra|]. apply ball_dist; auto.
    pose proof (Sc c y I). unfold space in *. congruence.
  - intros c y z I Sz Dz H. pose proof (Sc c y I). unfold space in *. apply indicator_0; auto; [congruence|]. apply outside_dist; auto; [lra | congruence].
  - intros c y I. apply (SP c y (Inc _ I)).
  - intros z Sz Dz. unfold f, output at 1.
    rewrite (eval_memorize inner outer B d ltac:(lra) Hio clean M z (output clean z)); auto. now apply one_output.
Qed.
(** CGRO, Theorem 5.2 = D.1 for p = oo and two labels: f_S, which memorizes the whole sample, under Assumption 5.1: labels more than
    2 delta apart (outer = R - delta > delta), f_clean without clean error and with robust error mu. *)
Theorem network_S_errors inner outer B delta d clean (dom : vec -> Prop) (S : data) (pop : population) kappa :
  0 <= delta <= inner -> inner < outer -> wf d clean -> length (readout clean) = 1%nat ->
  (forall z, space d z -> dom z -> Rabs (output clean z) <= B) ->
  weights pop -> (forall w x s, In (w, (x, s)) pop -> (s = 1 \/ s = -1) /\ space d x /\ dom x /\ 0 < s * output clean x) ->
  (forall x y, In (x, y) S -> (y < 2)%nat /\ exists w, In (w, (x, sign_of y)) pop) ->
  (forall w x s w' c t, In (w, (x, s)) pop -> In (w', (c, t)) pop -> t <> s -> outer + delta <= dist infinite x c) ->
  let f := output (memorize inner outer B d clean S) in let mu := robust_error infinite d dom delta (output clean) pop in
  robust_error infinite d dom delta f (uniform (signed S)) = 0 /\ clean_error f pop = 0 /\ robust_error infinite d dom delta f pop <= mu /\
  (mass (hidden infinite d dom delta (before outer) (output clean) (signed S)) pop <= (1 - kappa) * mu -> kappa * mu <= robust_error infinite d dom delta f pop).
Proof. intros. apply (network_errors inner outer B delta d clean dom S S pop kappa); auto. apply incl_refl. Qed.
