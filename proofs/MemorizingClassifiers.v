(** CGRM, Proposition 3.2: f_adv, in any l_p, on every finite population (weighted points with labels +1, -1) and every sample
    ([f_adv_errors]): robust training error 0, clean test error 0, and robust test error at least kappa mu, mu being f_clean's,
    where at most a share 1 - kappa of mu is hidden: hidden are those small-margin points on whose ball all errors of f_clean lie
    within delta of memorized points. Points farther than 2 delta from all memorized ones are not hidden ([f_adv_far], in numbers
    [f_adv_numbers]); and the robust test error is at most mu ([f_adv_at_most]). Where the sample covers the population it is 0, whatever mu is ([f_adv_covered],
    [omega_mu_fails]): so Omega(mu) as printed needs such a condition. CGRO's f_S is the case in which all points are memorized.
    [memorizing_errors] says the same of whatever memorizes, soft rims included.
    A value 0 counts as an error. So memorized must be all training points whose ball holds a value y f_clean <= 0: margin <= delta, not
    < delta as printed (MarginAndBoundary.touching_is_tie). Perturbed points may be confined to a domain, [0,1]^d or all of R^d. *)
From Coq Require Import Reals Lra List Lia Arith ClassicalDedekindReals.
From CGRO Require Import Networks Norms MarginAndBoundary.
Import ListNotations.
Open Scope R_scope.

(** * populations and errors *)
Definition labelled := (vec * R)%type. (* a point and its label, +1 or -1 *)
Definition population := list (R * labelled). (* with weights *)
(** the weight of the points with a property; the reals of the standard library decide it (up to double negation) *)
Fixpoint mass (bad : vec -> R -> Prop) (pop : population) : R :=
  match pop with [] => 0 | (w, (x, y)) :: pop' => (if sig_not_dec (bad x y) then w else 0) + mass bad pop' end.
Definition weights (pop : population) := forall w x y, In (w, (x, y)) pop -> 0 <= w.
(** the sample's empirical distribution *)
Definition uniform (S : list labelled) : population := map (fun s => (/ INR (length S), s)) S.
Definition wrong (f : vec -> R) (y : R) (z : vec) := ~ 0 < y * f z.
(** z is x plus a perturbation of norm at most delta *)
Definition in_reach (e : exponent) (d : nat) (dom : vec -> Prop) (delta : R) (x z : vec) := space d z /\ dom z /\ dist e x z <= delta.
Definition fooled e d dom delta (f : vec -> R) (x : vec) (y : R) := exists z, in_reach e d dom delta x z /\ wrong f y z.
Definition clean_error (f : vec -> R) := mass (fun x y => wrong f y x).
Definition robust_error e d dom delta (f : vec -> R) := mass (fooled e d dom delta f).

Lemma mass_none (bad : vec -> R -> Prop) pop : (forall w x y, In (w, (x, y)) pop -> ~ bad x y) -> mass bad pop = 0.
Proof.
  induction pop as [|[w [x y]] pop IH]; simpl; intros H; auto. rewrite IH by eauto.
  destruct sig_not_dec as [N|]; [|lra]. exfalso. apply N. eapply H. now left.
Qed.
Lemma mass_split (bad b1 b2 : vec -> R -> Prop) pop : weights pop -> (forall w x y, In (w, (x, y)) pop -> bad x y -> ~ ~ (b1 x y \/ b2 x y)) ->
  mass bad pop <= mass b1 pop + mass b2 pop.
Proof.
  induction pop as [|[w [x y]] pop IH]; simpl; intros W H; [lra|]. specialize (IH ltac:(intros w' x' y' I; eapply W; right; eauto) ltac:(intros; eapply H; eauto)).
  pose proof (W w x y (or_introl eq_refl)). specialize (H w x y (or_introl eq_refl)).
  destruct (sig_not_dec (bad x y)) as [N|], (sig_not_dec (b1 x y)) as [N1|N1], (sig_not_dec (b2 x y)) as [N2|N2]; try lra. tauto.
Qed.
Lemma mass_le (b b' : vec -> R -> Prop) pop : weights pop -> (forall w x y, In (w, (x, y)) pop -> b x y -> b' x y) -> mass b pop <= mass b' pop.
Proof.
  induction pop as [|[w [x y]] pop IH]; simpl; intros W H; [lra|]. specialize (IH ltac:(intros w' x' y' I; eapply W; right; eauto) ltac:(intros; eapply H; eauto)).
  pose proof (W w x y (or_introl eq_refl)). specialize (H w x y (or_introl eq_refl)).
  destruct (sig_not_dec (b x y)), (sig_not_dec (b' x y)); try lra. tauto.
Qed.
Lemma mass_ge0 (b : vec -> R -> Prop) pop : weights pop -> 0 <= mass b pop.
Proof. intros W. pose proof (mass_le (fun _ _ => False) b pop W ltac:(intros; tauto)). rewrite mass_none in H by auto. lra. Qed.

(** * what memorizes *)
Section Memorizing.
Variables (e : exponent) (d : nat) (dom : vec -> Prop) (delta : R).
Variable reach : R -> Prop. (* the distances from a memorized point at which f may differ from f_clean *)
Variables (clean f : vec -> R) (M : list labelled).
(** every memorized point that reaches z has label y *)
Definition consistent (y : R) (z : vec) := forall c y', In (c, y') M -> reach (dist e c z) -> y' = y.
Definition reached (z : vec) := exists c y, In (c, y) M /\ reach (dist e c z).
Record memorizing := {
  on_balls : forall c y z, In (c, y) M -> in_reach e d dom delta c z -> consistent y z -> 0 < y * f z;
  elsewhere : forall z, space d z -> dom z -> ~ reached z -> f z = clean z;
  between_them : forall y z, y = 1 \/ y = -1 -> space d z -> dom z -> consistent y z -> 0 < y * clean z -> 0 < y * f z }.
Hypothesis memorizes : memorizing.

(** Points on whose ball f_clean errs, and those of them on whose ball it errs within reach of memorized points alone. *)
Definition small := fooled e d dom delta clean.
Definition exposed (x : vec) (y : R) := exists z, in_reach e d dom delta x z /\ wrong clean y z /\ ~ reached z.
Definition hidden (x : vec) (y : R) := small x y /\ ~ exposed x y.

Lemma sample_right x y : y = 1 \/ y = -1 -> (In (x, y) M \/ ~ small x y) -> (forall z, in_reach e d dom delta x z -> consistent y z) ->
  ~ fooled e d dom delta f x y.
Proof.
  intros Y [I|N] H [z [R W]]; apply W.
  - now apply (on_balls memorizes x); auto.
  - destruct (Rlt_dec 0 (y * clean z)) as [L|L]; [|exfalso; apply N; now exists z].
    destruct R as [Sz [Dz R]]. apply (between_them memorizes); auto. apply H. now repeat split.
Qed.
Lemma exposed_fooled x y : exposed x y -> fooled e d dom delta f x y.
Proof.
  intros [z [R [W N]]]. exists z. split; auto. unfold wrong in *. destruct R as [Sz [Dz _]]. now rewrite (elsewhere memorizes).
Qed.
Lemma fooled_small x y : y = 1 \/ y = -1 -> (forall z, in_reach e d dom delta x z -> consistent y z) -> fooled e d dom delta f x y -> small x y.
Proof.
  intros Y H [z [R W]]. exists z. split; auto. intros L. apply W. pose proof R as [Sz [Dz _]]. apply (between_them memorizes); auto.
Qed.
(** All four errors. *)
Theorem memorizing_errors (pop : population) (S : list labelled) :
  weights pop -> (forall x y, In (x, y) S -> y = 1 \/ y = -1) ->
  (forall x y, In (x, y) S -> In (x, y) M \/ ~ small x y) ->
  (forall x y z, In (x, y) S -> in_reach e d dom delta x z -> consistent y z) ->
  (forall w x y, In (w, (x, y)) pop -> (y = 1 \/ y = -1) /\ space d x /\ dom x /\ 0 < y * clean x /\ consistent y x) ->
  let mu := robust_error e d dom delta clean pop in
  robust_error e d dom delta f (uniform S) = 0 /\ clean_error f pop = 0 /\
  mu - mass hidden pop <= robust_error e d dom delta f pop /\
  ((forall w x y z, In (w, (x, y)) pop -> in_reach e d dom delta x z -> consistent y z) -> robust_error e d dom delta f pop <= mu).
Proof.
  intros W YS MS CS P mu. repeat split.
  - apply mass_none. intros w x y I. unfold uniform in I. apply in_map_iff in I as [[x' y'] [E I]]. inversion E; subst.
    apply sample_right; eauto.
  - apply mass_none. intros w x y I N. apply N. destruct (P w x y I) as [Y [Sx [Dx [Cx K]]]]. now apply (between_them memorizes).
  - apply Rle_trans with (mass exposed pop).
    + assert (mu <= mass exposed pop + mass hidden pop); [|lra]. apply mass_split; auto. intros w x y _ B N. apply N. right. split; auto.
    + apply mass_le; auto. intros w x y _. apply exposed_fooled.
  - intros C. apply mass_le; auto. intros w x y I. destruct (P w x y I) as [Y _]. apply fooled_small; eauto.
Qed.
End Memorizing.
(** Omega(mu): what is left if at most a share 1 - kappa is hidden. *)
Lemma share_left mu hidden error kappa : mu - hidden <= error -> hidden <= (1 - kappa) * mu -> kappa * mu <= error.
Proof. lra. Qed.

(** * f_adv as printed *)
Section Printed.
Variables (e : exponent) (d : nat) (dom : vec -> Prop) (delta : R) (clean : vec -> R) (M : list labelled).
(** sum of y_i over the memorized points within delta, *)
Fixpoint votes (M : list labelled) (z : vec) : R :=
  match M with [] => 0 | (c, y) :: M' => (if Rle_dec (dist e c z) delta then y else 0) + votes M' z end.
(** and whether there are any *)
Fixpoint covers (M : list labelled) (z : vec) : bool :=
  match M with [] => false | (c, y) :: M' => if Rle_dec (dist e c z) delta then true else covers M' z end.
Definition f_adv (z : vec) : R := votes M z + clean z * (if covers M z then 0 else 1).
Definition within (t : R) := t <= delta.

Lemma covers_spec M' z : covers M' z = true <-> exists c y, In (c, y) M' /\ dist e c z <= delta.
Proof.
  induction M' as [|[c y] M' IH]; simpl; [split; [discriminate | intros [? [? [[] _]]]]|]. destruct Rle_dec as [L|L].
  - split; auto. intros _. exists c, y. auto.
  - rewrite IH. split; intros [c' [y' [I D]]]; exists c', y'; split; auto. destruct I as [E|I]; auto. inversion E; subst. lra.
Qed.
Lemma votes_sign M' z y : y = 1 \/ y = -1 -> (forall c y', In (c, y') M' -> dist e c z <= delta -> y' = y) ->
  0 <= y * votes M' z /\ (covers M' z = true -> 0 < y * votes M' z) /\ (covers M' z = false -> votes M' z = 0).
Proof.
  intros Y. induction M' as [|[c y'] M' IH]; simpl; intros H; [repeat split; try lra; discriminate|].
  destruct (IH ltac:(intros; eapply H; eauto)) as [A [B C]]. destruct Rle_dec as [L|L].
  - rewrite (H c y' (or_introl eq_refl) L). assert (y * y = 1) by (destruct Y as [-> | ->]; lra). repeat split; try discriminate; intros; lra.
  - replace (0 + votes M' z) with (votes M' z) by lra. auto.
Qed.
Theorem f_adv_memorizes : (forall c y, In (c, y) M -> y = 1 \/ y = -1) -> memorizing e d dom delta within clean f_adv M.
Proof.
  intros Y. constructor.
  - intros c y z I [_ [_ D]] C. destruct (votes_sign M z y (Y c y I) C) as [_ [P _]]. unfold f_adv.
    assert (K : covers M z = true) by (apply covers_spec; eauto). rewrite K. specialize (P K). lra.
  - intros z _ _ N. unfold f_adv. destruct (covers M z) eqn:K; [exfalso; apply N; now apply covers_spec|].
    assert (V : forall M', covers M' z = false -> votes M' z = 0).
    { induction M' as [|[c y] M' IH]; simpl; auto. destruct Rle_dec; [discriminate|]. intros. rewrite IH; auto. lra. }
    rewrite V by auto. lra.
  - intros y z Yy _ _ C L. destruct (votes_sign M z y Yy C) as [A [P Q]]. unfold f_adv. destruct (covers M z); [specialize (P eq_refl) | rewrite Q by auto]; lra.
Qed.
(** Proposition 3.2. Hypotheses, in the paper's order: f_clean has no clean error; data within delta of training data have its label
    (no point lies within delta of two training points of different labels; a population point within delta of a training point has its
    label); memorized are training points, among them all whose ball holds an error of f_clean. *)
Theorem f_adv_errors (pop : population) (S : list labelled) kappa :
  is_exponent e -> weights pop ->
  (forall w x y, In (w, (x, y)) pop -> (y = 1 \/ y = -1) /\ space d x /\ dom x /\ 0 < y * clean x) ->
  (forall x y, In (x, y) S -> y = 1 \/ y = -1) ->
  (forall x y c y' z, In (x, y) S -> In (c, y') S -> in_reach e d dom delta x z -> dist e c z <= delta -> y' = y) ->
  (forall w x y c y', In (w, (x, y)) pop -> In (c, y') S -> dist e c x <= delta -> y' = y) ->
  incl M S -> (forall x y, In (x, y) S -> In (x, y) M \/ ~ small e d dom delta clean x y) ->
  let mu := robust_error e d dom delta clean pop in
  robust_error e d dom delta f_adv (uniform S) = 0 /\ clean_error f_adv pop = 0 /\
  (mass (hidden e d dom delta within clean M) pop <= (1 - kappa) * mu -> kappa * mu <= robust_error e d dom delta f_adv pop).
Proof.
  intros P W Pop YS L1 L2 Inc Sm mu.
  destruct (memorizing_errors e d dom delta within clean f_adv M (f_adv_memorizes (fun c y I => YS c y (Inc _ I))) pop S) as [A [B [Lo _]]]; auto.
  - intros x y z I R c y' J D. apply (L1 x y c y' z I (Inc _ J) R D).
  - intros w x y I. destruct (Pop w x y I) as [Y [Sx [Dx Cx]]]. repeat split; auto. intros c y' J D. apply (L2 w x y c y' I (Inc _ J) D).
  - repeat split; auto. intros H. fold mu in Lo |- *. apply (share_left mu (mass (hidden e d dom delta within clean M) pop)); auto.
Qed.
(** A sufficient condition: small-margin points farther than 2 delta from all memorized ones count in full. *)
Theorem f_adv_far (pop : population) : is_exponent e -> weights pop -> (forall c y, In (c, y) M -> (y = 1 \/ y = -1) /\ space d c) ->
  (forall w x y, In (w, (x, y)) pop -> space d x) ->
  mass (fun x y => small e d dom delta clean x y /\ forall c y', In (c, y') M -> 2 * delta < dist e c x) pop <= robust_error e d dom delta f_adv pop.
Proof.
  intros P W YM Sp. pose proof (f_adv_memorizes (fun c y I => proj1 (YM c y I))) as F.
  apply mass_le; auto. intros w x y I [[z [[Sz [Dz R]] Wz]] Far]. apply (exposed_fooled e d dom delta within clean f_adv M F).
  exists z. repeat split; auto. intros [c [y' [J D]]]. unfold within in D. specialize (Far c y' J).
  pose proof (dist_triangle e d c z x P (proj2 (YM c y' J)) Sz (Sp w x y I)). rewrite (dist_sym e z x P) in H. lra.
Qed.
(** In numbers: if no ball of radius 2 delta around a memorized point weighs more than w, mu - w (number of memorized points) is left. *)
Theorem f_adv_numbers (pop : population) w : is_exponent e -> weights pop -> (forall c y, In (c, y) M -> (y = 1 \/ y = -1) /\ space d c) ->
  (forall v x y, In (v, (x, y)) pop -> space d x) ->
  (forall c y, In (c, y) M -> mass (fun x _ => dist e c x <= 2 * delta) pop <= w) ->
  robust_error e d dom delta clean pop - w * INR (length M) <= robust_error e d dom delta f_adv pop.
Proof.
  intros P W YM Sp B. pose proof (f_adv_far pop P W YM Sp) as F.
  set (near := fun (l : list labelled) x (_ : R) => exists c y', In (c, y') l /\ dist e c x <= 2 * delta).
  assert (Near : forall l, incl l M -> mass (near l) pop <= w * INR (length l)).
  { induction l as [|[c y] l IH]; intros I.
    - simpl. rewrite mass_none; [lra|]. intros v x y _ [c [y' [[] _]]].
    - cbn [length]. rewrite S_INR. specialize (IH (fun a J => I a (or_intror J))). pose proof (B c y (I _ (or_introl eq_refl))) as Bc.
      apply Rle_trans with (mass (fun x _ => dist e c x <= 2 * delta) pop + mass (near l) pop); [|lra].
      apply mass_split; auto. intros v x z _ [c' [y' [[E|J] D]]] N; apply N; [left; inversion E; now subst | right; exists c', y'; auto]. }
  specialize (Near M (incl_refl M)). unfold robust_error at 1.
  assert (T : mass (fooled e d dom delta clean) pop <=
    mass (fun x y => small e d dom delta clean x y /\ forall c y', In (c, y') M -> 2 * delta < dist e c x) pop + mass (near M) pop); [|lra].
  apply mass_split; auto. intros v x y _ Sm N. apply N. left. split; auto. intros c y' J.
  destruct (Rlt_le_dec (2 * delta) (dist e c x)) as [|L]; auto. exfalso. apply N. right. exists c, y'. auto.
Qed.
(** The robust test error is at most mu, where labels are more than 2 delta apart, *)
Theorem f_adv_at_most (pop : population) : is_exponent e -> weights pop -> (forall c y, In (c, y) M -> (y = 1 \/ y = -1) /\ space d c) ->
  (forall w x y, In (w, (x, y)) pop -> (y = 1 \/ y = -1) /\ space d x) ->
  (forall w x y c y', In (w, (x, y)) pop -> In (c, y') M -> y' <> y -> 2 * delta < dist e x c) ->
  robust_error e d dom delta f_adv pop <= robust_error e d dom delta clean pop.
Proof.
  intros P W YM Pop Sep. pose proof (f_adv_memorizes (fun c y I => proj1 (YM c y I))) as F.
  apply mass_le; auto. intros w x y I. destruct (Pop w x y I) as [Y Sx].
  apply (fooled_small e d dom delta within clean f_adv M F); auto. intros z [Sz [Dz R]] c y' J D. unfold within in D.
  destruct (Req_dec y' y) as [|N]; auto. exfalso. specialize (Sep w x y c y' I J N).
  pose proof (dist_triangle e d x z c P Sx Sz (proj2 (YM c y' J))). rewrite (dist_sym e z c P) in H. lra.
Qed.
(** and 0 where the population's points are memorized, whatever mu is. *)
Theorem f_adv_covered (pop : population) : (forall c y, In (c, y) M -> y = 1 \/ y = -1) ->
  (forall x y c y' z, In (x, y) M -> In (c, y') M -> in_reach e d dom delta x z -> dist e c z <= delta -> y' = y) ->
  (forall w x y, In (w, (x, y)) pop -> In (x, y) M) -> robust_error e d dom delta f_adv pop = 0.
Proof.
  intros Y L1 In_M. pose proof (f_adv_memorizes Y) as F. apply mass_none. intros w x y I.
  apply (sample_right e d dom delta within clean f_adv M F); eauto. intros z R c y' J D. eapply L1; eauto.
Qed.
End Printed.
(** Such a population, with mu = 1: one point, 1/8 from the boundary of x - 1/2, delta = 1/4. *)
Theorem omega_mu_fails e : is_exponent e ->
  let clean := output (Net [] [([1], -1 / 2)]) in let p := ([5 / 8], 1) in let pop := [(1, p)] in let all := fun _ : vec => True in
  clean_error clean pop = 0 /\ robust_error e 1 all (1 / 4) clean pop = 1 /\ robust_error e 1 all (1 / 4) (f_adv e (1 / 4) clean [p]) pop = 0.
Proof.
  intros P clean p pop all. assert (C : forall a, clean [a] = a - 1 / 2) by (intros; unfold clean, output, eval; simpl; lra). repeat split.
  - apply mass_none. intros w x y [E|[]]. inversion E; subst. unfold wrong. rewrite C. lra.
  - unfold robust_error, pop, p. simpl. destruct sig_not_dec as [|N]; [lra|]. exfalso. apply N. exists [1 / 2]. unfold in_reach, wrong.
    rewrite dist_line, Rabs_left, C by (auto; lra). repeat split; lra.
  - apply f_adv_covered.
    + intros c y [E|[]]. inversion E. auto.
    + intros x y c y' z [E|[]] [E'|[]] _ _. inversion E. inversion E'. congruence.
    + intros w x y [E|[]]. inversion E. now left.
Qed.
(** The local-label hypotheses follow from separation: labels more than 2 delta apart. *)
Theorem separation_local e d dom delta (S : list labelled) : is_exponent e ->
  (forall x y, In (x, y) S -> space d x) -> (forall x y c y', In (x, y) S -> In (c, y') S -> y' <> y -> 2 * delta < dist e x c) ->
  forall x y c y' z, In (x, y) S -> In (c, y') S -> in_reach e d dom delta x z -> dist e c z <= delta -> y' = y.
Proof.
  intros P Sp Sep x y c y' z I J [Sz [_ R]] D. destruct (Req_dec y' y) as [|N]; auto. exfalso. specialize (Sep x y c y' I J N).
  pose proof (dist_triangle e d x z c P (Sp _ _ I) Sz (Sp _ _ J)). rewrite (dist_sym e z c P) in H. lra.
Qed.
