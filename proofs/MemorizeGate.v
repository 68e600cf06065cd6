(** Main theorems [gate_on_ball] and [gate_outside]: f_S on l_inf balls in the variant gate (exact distances by trees of maxima, soft
    indicators, capped sums, exact gate), two labels, as a network for every f_clean, N and D; [gateK_on_ball], [gateK_outside]: K classes. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Multiplication EuclideanDistance Distance Indicators Memorize MemorizeClasses MemorizeEuclidean MemorizeIndicators.
Import ListNotations.
Open Scope R_scope.

(** * sizes *)
(** Networks on separate inputs fit. *)
Lemma wf_dsum n m f g : wf n f -> wf m g -> depth f = depth g ->
  wf (n + m) (dsum n f g) /\ length (readout (dsum n f g)) = (length (readout f) + length (readout g))%nat.
Proof.
  intros F G E. pose proof (fit_diags (hidden f) (hidden g) n m (readout f) (readout g) E F G) as H.
  unfold dsum, wf. destruct (diags _ _ _ _ _). exact H.
Qed.
(** A level of the tree halves its numbers in one layer. *)
Lemma wf_level n : (1 <= n)%nat -> wf n (level n) /\ length (readout (level n)) = (n - n / 2)%nat /\ depth (level n) = 1%nat.
Proof.
  intros N. unfold level. destruct (Nat.even n) eqn:E.
  - apply Nat.even_spec in E as [p E]. replace (n / 2)%nat with p by (rewrite E, Nat.mul_comm, Nat.div_mul; auto).
    destruct (wf_maxes p) as [W L]. rewrite <- E in W. repeat split; auto; [lia | apply depth_maxes].
  - assert (O : Nat.odd n = true) by (unfold Nat.odd; now rewrite E). apply Nat.odd_spec in O as [p O].
    replace (n / 2)%nat with p by (apply (Nat.div_unique n 2 p 1); lia). destruct (wf_maxes p) as [W L].
    destruct (wf_dsum (2 * p) 1 (maxes p) hold W ltac:(wfs) ltac:(now rewrite depth_maxes)) as [V M].
    assert (R : length (readout (rotate n)) = (2 * p + 1)%nat) by (unfold rotate; cbn [readout]; rewrite map_length, app_length, seq_length; simpl; lia).
    assert (Dd : depth (dsum (2 * p) (maxes p) hold) = 1%nat) by (rewrite depth_dsum; rewrite depth_maxes; auto).
    repeat split.
    + apply wf_compose; [|now rewrite R]. unfold wf, rotate; cbn [hidden readout fit]. unfold fits. rewrite Forall_map.
      apply Forall_forall. intros i I. cbn [fst]. rewrite idrow_length; auto. apply in_app_iff in I as [I|[<-|[]]]; [apply in_seq in I|]; lia.
    + destruct (dsum (2 * p) (maxes p) hold) as [[|l ls] o]; unfold depth in Dd; simpl in Dd; [lia|]. unfold compose. cbn [hidden readout] in *.
      rewrite M, L. simpl. lia.
    + rewrite depth_compose, Dd. reflexivity.
Qed.
(** Half of n, rounded up, has one binary digit less. *)
Lemma log2_half n : (2 <= n)%nat -> Nat.log2_up n = Datatypes.S (Nat.log2_up (n - n / 2)).
Proof.
  intros N. pose proof (Nat.div_mod n 2 ltac:(lia)) as E. pose proof (Nat.mod_upper_bound n 2 ltac:(lia)).
  set (q := (n / 2)%nat) in *. assert (C : (n mod 2 = 0 \/ n mod 2 = 1)%nat) by lia. destruct C as [C|C]; rewrite C in E.
  - rewrite E at 1. rewrite Nat.add_0_r, Nat.log2_up_double by lia. f_equal. f_equal. lia.
  - rewrite E at 1. replace (2 * q + 1)%nat with (Datatypes.S (2 * q)) by lia. rewrite Nat.log2_up_eqn by lia. cbn [Nat.pred]. f_equal.
    replace (n - q)%nat with (Datatypes.S q) by lia. rewrite Nat.log2_double by lia.
    rewrite (Nat.log2_up_eqn (Datatypes.S q)) by lia. reflexivity.
Qed.
(** The tree of maxima has ceil(log2 n) layers, and fits. *)
Lemma wf_maximum_ fuel : forall n, (n <= fuel)%nat -> (1 <= n)%nat ->
  wf n (maximum_ fuel n) /\ length (readout (maximum_ fuel n)) = 1%nat /\ depth (maximum_ fuel n) = Nat.log2_up n.
Proof.
  induction fuel as [|k IH]; intros n Hf Hn; [lia|]. cbn [maximum_]. destruct (Nat.leb_spec n 1).
  - assert (n = 1)%nat as -> by lia. split; [apply (fits_ident 1) | split; reflexivity].
  - destruct (wf_level n Hn) as [W [L Dp]].
    assert (n / 2 < n)%nat by (apply Nat.div_lt; lia). assert (1 <= n / 2)%nat by (change 1%nat with (2 / 2)%nat; apply Nat.div_le_mono; lia).
    destruct (IH (n - n / 2)%nat ltac:(lia) ltac:(lia)) as [W' [L' D']]. repeat split.
    + apply wf_compose; auto. now rewrite L.
    + destruct (maximum_ k (n - n / 2)) as [[|l ls] o]; unfold compose; cbn [hidden readout] in *; auto. unfold merge. now rewrite map_length.
    + rewrite depth_compose, D', Dp, (log2_half n) by lia. lia.
Qed.
(** The depth of the tree. *)
Theorem depth_maximum n : (1 <= n)%nat -> depth (maximum n) = Nat.log2_up n.
Proof. intros N. now apply wf_maximum_. Qed.
(** Distances of neighbours fit. *)
Lemma wf_neighbours : forall n c, (length c <= n)%nat -> wf (length c) (neighbours c) /\ length (readout (neighbours c)) = ((length c + 1) / 2)%nat.
Proof.
  induction n; intros [|a [|b c]] L; simpl in L; try lia; try (split; [wfs | reflexivity]).
  destruct (IHn c ltac:(lia)) as [W R]. cbn [neighbours length].
  destruct (wf_dsum 2 (length c) (near2 a b) (neighbours c) ltac:(wfs) W) as [V M]; [symmetry; now apply (depth_neighbours (length c))|].
  split; [exact V|]. rewrite M, R. cbn [near2 readout length].
  replace (Datatypes.S (Datatypes.S (length c)) + 1)%nat with (length c + 1 + 1 * 2)%nat by lia. rewrite Nat.div_add by lia. lia.
Qed.
(** Half of what is at least 1, rounded up. *)
Lemma half_ge1 n : (1 <= n)%nat -> (1 <= (n + 1) / 2)%nat.
Proof. intros N. change 1%nat with (2 / 2)%nat at 1. apply Nat.div_le_mono; lia. Qed.
(** The distance to a centre fits, has one output and 1 + ceil(log2 ceil(D/2)) layers. *)
Lemma wf_linf_distance c : (1 <= length c)%nat ->
  wf (length c) (linf_distance c) /\ length (readout (linf_distance c)) = 1%nat /\ depth (linf_distance c) = Datatypes.S (Nat.log2_up ((length c + 1) / 2)).
Proof.
  intros C. destruct (wf_neighbours _ c (le_n _)) as [W R]. destruct (wf_maximum_ _ _ (le_n _) (half_ge1 _ C)) as [V [L E]].
  unfold linf_distance. repeat split.
  - apply wf_compose; auto. rewrite R. exact V.
  - unfold maximum. destruct (maximum_ _ _) as [[|l ls] o]; unfold compose; cbn [hidden readout] in *; auto. unfold merge. now rewrite map_length.
  - rewrite depth_compose, (depth_neighbours _ c (le_n _)). unfold maximum. rewrite E. lia.
Qed.

(** * the distance and the balls *)
(** A point of the ball is no farther than its radius. *)
Lemma linf_ball c r x : 0 <= r -> in_ball c r x -> linf c x <= r.
Proof. intros R. induction 1; cbn [linf]; auto. apply Rmax_lub; auto. Qed.
(** A point outside the open ball is no nearer. *)
Lemma linf_far c r : forall x, length x = length c -> outside c r x -> r <= linf c x.
Proof.
  induction c as [|a c IH]; intros [|v x] L [j [J H]]; simpl in L, J; try lia. cbn [linf]. destruct j; cbn [nth] in H.
  - eapply Rle_trans; [exact H | apply Rmax_l].
  - eapply Rle_trans; [|apply Rmax_r]. apply IH; [lia|]. exists j. split; auto; lia.
Qed.

(** * the indicators *)
Section Gate.
Variables (a b : R) (D : nat).
Hypotheses (Ha : 0 <= a) (Hab : a < b) (HD : (1 <= D)%nat).
Definition gate_indicator (c : vec) : net := compose (soft_indicator a b) (linf_distance c).
Definition gate_depth : nat := (Nat.log2_up ((D + 1) / 2) + 2)%nat.
Definition gate_indicators (S : data) : net := fold_right (fun cy f => parallel (gate_indicator (fst cy)) f) (Net (repeat [] gate_depth) []) S.
Definition indI (c x : vec) : R := soft a b (linf c x).
(** Indicators are not negative. *)
Lemma indI_ge0 c x : 0 <= indI c x.
Proof. now apply soft_ge0. Qed.
(** An indicator's depth. *)
Lemma depth_gate_indicator c : length c = D -> depth (gate_indicator c) = gate_depth.
Proof.
  intros L. unfold gate_indicator. rewrite depth_compose. destruct (wf_linf_distance c) as [_ [_ E]]; [lia|]. rewrite E, L.
  unfold gate_depth, depth; simpl. lia.
Qed.
(** An indicator fits. *)
Lemma wf_gate_indicator c : length c = D -> wf D (gate_indicator c).
Proof.
  intros L. destruct (wf_linf_distance c) as [W [R _]]; [lia|]. rewrite L in W. apply wf_compose; auto. rewrite R. wfs.
Qed.
(** An indicator's value. *)
Lemma eval_gate_indicator c x : length c = D -> length x = D -> Forall (Rle 0) x -> eval (gate_indicator c) x = [indI c x].
Proof.
  intros C L P. unfold gate_indicator. rewrite eval_compose, eval_linf_distance, eval_soft_indicator; auto; [|congruence].
  intros ->. simpl in C. lia.
Qed.
(** All have one depth. *)
Lemma depth_gate_indicators S : (forall c y, In (c, y) S -> length c = D) -> depth (gate_indicators S) = gate_depth.
Proof.
  induction S as [|[c y] S IH]; intros H; [unfold depth; simpl; apply repeat_length|]. simpl.
  rewrite depth_parallel; rewrite depth_gate_indicator by (eapply H; left; eauto); auto.
  symmetry. apply IH. intros; eapply H; right; eauto.
Qed.
(** All of them, side by side. *)
Lemma eval_gate_indicators S x : (forall c y, In (c, y) S -> length c = D) -> length x = D -> Forall (Rle 0) x ->
  eval (gate_indicators S) x = map (fun cy => indI (fst cy) x) S.
Proof.
  intros H L P. induction S as [|[c y] S IH]; [reflexivity|]. simpl.
  assert (Lc : length c = D) by (eapply H; left; eauto). assert (HS : forall c y, In (c, y) S -> length c = D) by (intros; eapply H; right; eauto).
  rewrite (eval_parallel _ _ D); auto; [|now apply wf_gate_indicator | now rewrite depth_gate_indicators, depth_gate_indicator].
  rewrite eval_gate_indicator, IH; auto.
Qed.

(** * f_S *)
Variables (delta B : R) (clean : net) (S : data) (x : vec).
Hypotheses (Hd : delta <= a) (W : wf D clean) (HS : forall c y, In (c, y) S -> length c = D) (L : length x = D) (X : Forall (Rle 0) x).
(** Centres of other labels do not reach the ball. *)
Lemma gate_covered c y : separated b delta S -> In (c, y) S -> in_ball c delta x -> covered indI S x c y.
Proof.
  intros Sep I Bx. repeat split; auto.
  - apply soft_1; auto. apply linf_ball; auto. eapply in_ball_le; eauto.
  - intros c' y' I' N. apply soft_0; auto. apply linf_far; [rewrite L; symmetry; eauto|].
    apply (outside_ball c c' delta); auto; [rewrite (HS _ _ I), (HS _ _ I'); auto|]. apply (Sep c y c' y'); auto.
Qed.
(** Outside the outer balls all indicators are 0. *)
Lemma gate_far : (forall c y, In (c, y) S -> outside c b x) -> forall c y, In (c, y) S -> indI c x = 0.
Proof. intros O c y I. apply soft_0; auto. apply linf_far; eauto. rewrite L. symmetry; eauto. Qed.

(** Two labels: the label on the ball. *)
Theorem gate_on_ball c y v : length (readout clean) = 1%nat -> eval clean x = [v] -> Rabs v <= B -> (y < 2)%nat ->
  separated b delta S -> In (c, y) S -> in_ball c delta x -> eval (memorize2 B (gate_indicators S) S clean) x = [sign_of y].
Proof.
  intros O E Hb Y Sep I Bx. apply (memorize2_covered indI B D (gate_indicators S) S indI_ge0 clean x W L) with (c := c) (v := v); auto.
  - now apply eval_gate_indicators.
  - now apply gate_covered.
Qed.
(** Two labels: f_clean outside. *)
Theorem gate_outside : length (readout clean) = 1%nat -> (forall c y, In (c, y) S -> outside c b x) ->
  eval (memorize2 B (gate_indicators S) S clean) x = eval clean x.
Proof.
  intros O Out. apply (memorize2_outside indI B D (gate_indicators S) S indI_ge0 clean x W L); auto.
  - now apply eval_gate_indicators.
  - now apply gate_far.
Qed.
(** K classes: the label's one-hot row on the ball. *)
Theorem gateK_on_ball K c y : length (readout clean) = K -> (forall k, Rabs (nth k (eval clean x) 0) <= B) -> (y < K)%nat ->
  separated b delta S -> In (c, y) S -> in_ball c delta x ->
  eval (memorizeK B K (gate_indicators S) S clean) x = map (fun k => if Nat.eqb k y then 1 else 0) (seq 0 K).
Proof.
  intros O Hb Y Sep I Bx. apply (memorizeK_covered indI B D (gate_indicators S) S indI_ge0 clean x W L) with (c := c); auto.
  - now apply eval_gate_indicators.
  - now apply gate_covered.
Qed.
(** K classes: f_clean outside. *)
Theorem gateK_outside K : length (readout clean) = K -> (forall c y, In (c, y) S -> outside c b x) ->
  eval (memorizeK B K (gate_indicators S) S clean) x = eval clean x.
Proof.
  intros O Out. apply (memorizeK_out indI B D (gate_indicators S) S indI_ge0 clean x W L); auto.
  - now apply eval_gate_indicators.
  - now apply gate_far.
Qed.
End Gate.
