(** f_S, l_2 (variant gate: a squared distance for each centre), K classes, as a network. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Squaring Multiplication Indicators Memorize MemorizeClasses EuclideanDistance Distance.
Import ListNotations.
Open Scope R_scope.

Lemma fit_diags fs : forall gs n m fo go, length fs = length gs -> fit n fs fo -> fit m gs go ->
  let (h, o) := diags n fs gs fo go in fit (n + m) h o /\ length o = (length fo + length go)%nat.
Proof.
  assert (A : forall n m a b, fits n a -> fits m b -> fits (n + m) (diag n a b)).
  { intros n m a b F G. unfold diag, fits in *. apply Forall_app. split; [eapply Forall_impl; [|exact F]; simpl; intros; lia|].
    rewrite Forall_map. eapply Forall_impl; [|exact G]. intros [r c] H; cbn [fst] in *. rewrite app_length, repeat_length. lia. }
  assert (Ld : forall n a b, length (diag n a b) = (length a + length b)%nat) by (intros; unfold diag; now rewrite app_length, map_length).
  induction fs as [|a fs IH]; intros [|b gs] n m fo go E F G; simpl in E; try lia.
  - simpl in *. split; auto.
  - simpl in F, G. destruct F as [F1 F2], G as [G1 G2]. cbn [diags].
    specialize (IH gs (length a) (length b) fo go ltac:(lia) F2 G2). destruct (diags (length a) fs gs fo go).
    cbn [fit]. rewrite Ld. destruct IH. auto.
Qed.
Lemma wf_parallel n f g : depth f = depth g -> wf n f -> wf n g ->
  wf n (parallel f g) /\ length (readout (parallel f g)) = (length (readout f) + length (readout g))%nat.
Proof.
  destruct f as [[|a fs] fo], g as [[|b gs] go]; unfold depth, wf, parallel; simpl; intros E F G; try lia.
  - split; [apply Forall_app; auto | apply app_length].
  - destruct F as [F1 F2], G as [G1 G2]. pose proof (fit_diags fs gs (length a) (length b) fo go ltac:(lia) F2 G2) as H.
    destruct (diags (length a) fs gs fo go). destruct H as [H L]. cbn [hidden readout fit]. rewrite app_length. repeat split; auto.
    apply Forall_app. auto.
Qed.
Lemma wf_squaring m : (1 <= m)%nat -> wf 1 (squaring m).
Proof.
  intros Hm. unfold wf, squaring. cbn [hidden readout]. destruct m as [|[|k]]; [lia | wfs |].
  assert (T : fit 1 (teeth (S (S k))) [] /\ width 1 (teeth (S (S k))) = 3%nat).
  { clear. induction k; [split; [wfs | reflexivity]|]. destruct IHk as [A B]. rewrite teeth_S. split.
    - eapply fit_join; [exact A|]. rewrite B. destruct k; wfs.
    - apply width_last. }
  destruct T as [A B]. rewrite <- (app_nil_r (teeth _)). eapply fit_join; [exact A|]. rewrite B. wfs.
Qed.
Lemma depth_squaring m : depth (squaring m) = m.
Proof. unfold depth, squaring, teeth. cbn [hidden]. now rewrite map_length, seq_length. Qed.

Section L2.
Variables (m D : nat) (a b : R).
Hypotheses (Hm : (1 <= m)%nat) (Hab : a < b).
Definition coordinate (j : nat) (c : R) : net := compose (squaring m) (compose absolute (Net [] [(idrow D j, - c)])).
Fixpoint coordinates (j : nat) (c : vec) : net :=
  match c with [] => Net (repeat [] (m + 1)) [] | v :: c' => parallel (coordinate j v) (coordinates (S j) c') end.
Definition distance2 (c : vec) : net := compose (linear [repeat 1 D]) (coordinates 0 c).
Definition indicator2 (c : vec) : net := compose (soft_indicator a b) (compose (carry 1 1) (distance2 c)).
Definition indicators2 (S : data) : net := fold_right (fun cy f => parallel (indicator2 (fst cy)) f) (Net (repeat [] (m + 3)) []) S.

Lemma depth_coordinate j c : depth (coordinate j c) = (m + 1)%nat.
Proof. unfold coordinate. rewrite !depth_compose, depth_squaring. reflexivity. Qed.
Lemma depth_coordinates c : forall j, depth (coordinates j c) = (m + 1)%nat.
Proof.
  induction c; intros; simpl; [unfold depth; simpl; apply repeat_length|]. rewrite depth_parallel; rewrite depth_coordinate; auto.
Qed.
Lemma wf_coordinate j c : (j < D)%nat -> wf D (coordinate j c) /\ length (readout (coordinate j c)) = 1%nat.
Proof.
  intros H. split.
  - apply wf_compose; [apply wf_compose|].
    + unfold wf; simpl. constructor; [|constructor]. cbn [fst]. rewrite idrow_length; auto.
    + wfs.
    + now apply wf_squaring.
  - unfold coordinate, compose, squaring, teeth. cbn [hidden]. destruct m as [|[|k]]; [lia | reflexivity | reflexivity].
Qed.
Lemma wf_blank n k : wf n (Net (repeat [] k) []).
Proof. unfold wf; simpl. revert n. induction k; simpl; intros; [constructor | split; [constructor | apply (IHk 0%nat)]]. Qed.
Lemma wf_coordinates c : forall j, (j + length c <= D)%nat -> wf D (coordinates j c) /\ length (readout (coordinates j c)) = length c.
Proof.
  induction c as [|v c IH]; intros j H; simpl in H; [split; [apply wf_blank | reflexivity]|].
  destruct (IH (S j) ltac:(lia)) as [W L]. destruct (wf_coordinate j v ltac:(lia)) as [V K].
  destruct (wf_parallel D (coordinate j v) (coordinates (S j) c)) as [P Q]; auto; [now rewrite depth_coordinate, depth_coordinates|].
  split; [exact P|]. cbn [coordinates length]. rewrite Q, K, L. lia.
Qed.
Lemma eval_coordinate j c x : length x = D -> (j < D)%nat -> 0 <= c <= 1 -> unit x -> eval (coordinate j c) x = [sq m (Rabs (nth j x 0 - c))].
Proof.
  intros L J C U. unfold coordinate. rewrite !eval_compose.
  replace (eval (Net [] [(idrow D j, - c)]) x) with [nth j x 0 - c].
  2: { unfold eval, affine; simpl. rewrite dot_idrow; auto. }
  rewrite eval_absolute, eval_squaring; auto.
  unfold unit in U. rewrite Forall_forall in U. assert (J' : (j < length x)%nat) by lia.
  specialize (U (nth j x 0) (nth_In x 0 J')). unfold Rabs; destruct Rcase_abs; lra.
Qed.
Lemma eval_coordinates c : forall j x, length x = D -> (j + length c = D)%nat -> unit c -> unit x ->
  fold_right Rplus 0 (eval (coordinates j c) x) = phi m c (skipn j x) /\ length (eval (coordinates j c) x) = length c.
Proof.
  induction c as [|v c IH]; intros j x L H C U; [split; reflexivity|]. inversion C; subst. cbn [length] in H.
  destruct (IH (S j) x L ltac:(lia) H3 U) as [A B]. cbn [coordinates].
  rewrite (eval_parallel _ _ D); [|apply wf_coordinate; lia | now rewrite depth_coordinate, depth_coordinates | auto].
  rewrite eval_coordinate by (auto; lia). simpl app. split; [|simpl; now rewrite B].
  cbn [fold_right]. rewrite A.
  assert (E : skipn j x = nth j x 0 :: skipn (S j) x).
  { assert (J : (j < length x)%nat) by lia. clear -J. revert j J. induction x; intros [|j] J; simpl in *; try lia; auto. apply IHx. lia. }
  rewrite E. reflexivity.
Qed.
Lemma eval_distance2 c x : length c = D -> length x = D -> unit c -> unit x -> eval (distance2 c) x = [phi m c x].
Proof.
  intros C L U V. destruct (eval_coordinates c 0 x L C U V) as [A B]. unfold distance2. rewrite eval_compose, eval_linear. simpl map.
  rewrite (dot_repeat_sum 1 D) by congruence. rewrite A. simpl skipn. f_equal. lra.
Qed.
Lemma eval_indicator2 c x : length c = D -> length x = D -> unit c -> unit x -> eval (indicator2 c) x = [ind2 (phi m) a b c x].
Proof.
  intros C L U V. unfold indicator2. rewrite !eval_compose, eval_distance2, eval_carry; auto; [now apply eval_soft_indicator|].
  constructor; [|constructor]. pose proof (phi_error m c x ltac:(congruence) U V). pose proof (d2_ge0 c x). lra.
Qed.
Lemma wf_indicator2 c : length c = D -> wf D (indicator2 c).
Proof.
  intros C. unfold indicator2, distance2. destruct (wf_coordinates c 0 ltac:(lia)) as [W L].
  apply wf_compose; [apply wf_compose; [apply wf_compose; [exact W|]|]|].
  - rewrite L. unfold wf, linear; simpl. constructor; [|constructor]. cbn [fst]. rewrite repeat_length. lia.
  - replace (length (readout (compose (linear [repeat 1 D]) (coordinates 0 c)))) with 1%nat by (unfold compose, linear; reflexivity).
    unfold wf; simpl. split; apply (fits_ident 1).
  - wfs.
Qed.
Lemma depth_indicator2 c : depth (indicator2 c) = (m + 3)%nat.
Proof. unfold indicator2, distance2. rewrite !depth_compose, depth_coordinates. unfold depth; simpl. lia. Qed.
Lemma depth_indicators2 S : depth (indicators2 S) = (m + 3)%nat.
Proof. induction S; simpl; [unfold depth; simpl; apply repeat_length|]. rewrite depth_parallel; rewrite depth_indicator2; auto. Qed.
Lemma eval_blank k x : eval (Net (repeat [] k) []) x = [].
Proof. reflexivity. Qed.
Lemma eval_indicators2 S x : (forall c y, In (c, y) S -> length c = D /\ unit c) -> length x = D -> unit x ->
  eval (indicators2 S) x = map (fun cy => ind2 (phi m) a b (fst cy) x) S.
Proof.
  intros H L U. induction S as [|[c y] S IH]; [reflexivity|]. simpl. destruct (H c y (or_introl eq_refl)).
  rewrite (eval_parallel _ _ D); auto; [|now apply wf_indicator2 | now rewrite depth_indicators2, depth_indicator2].
  rewrite eval_indicator2, IH; auto. intros; eapply H; right; eauto.
Qed.
End L2.

Theorem memorizeK_l2_on_ball m D K B a b delta outer clean S c y x :
  (1 <= m)%nat -> a < b -> delta ^ 2 + INR D * / 4 ^ (m + 1) <= a -> b <= outer ^ 2 -> 0 < outer -> 0 <= delta ->
  wf D clean -> length (readout clean) = K -> (y < K)%nat -> (forall k, Rabs (nth k (eval clean x) 0) <= B) ->
  (forall c y, In (c, y) S -> length c = D /\ unit c) -> separated2 delta outer S ->
  In (c, y) S -> length x = D -> unit x -> d2 c x <= delta ^ 2 ->
  eval (memorizeK B K (indicators2 m D a b S) S clean) x = map (fun k => if Nat.eqb k y then 1 else 0) (seq 0 K).
Proof.
  intros Hm Hab Ha Hb Ho Hd W O Y Hc H Sep I L U Bx.
  rewrite (eval_memorizeK (ind2 (phi m) a b) B K D); auto; [|intros; now apply soft_ge0 | now apply eval_indicators2].
  apply map_ext. intros k. apply (f_S_l2 false m D K B a b delta outer _ S c y x k); auto.
Qed.
Theorem memorizeK_l2_outside m D K B a b outer clean S x :
  (1 <= m)%nat -> a < b -> b <= outer ^ 2 -> wf D clean -> length (readout clean) = K ->
  (forall c y, In (c, y) S -> length c = D /\ unit c) -> length x = D -> unit x -> (forall c y, In (c, y) S -> outer ^ 2 <= d2 c x) ->
  eval (memorizeK B K (indicators2 m D a b S) S clean) x = eval clean x.
Proof.
  intros Hm Hab Hb W O H L U Out.
  rewrite (eval_memorizeK (ind2 (phi m) a b) B K D); auto; [|intros; now apply soft_ge0 | now apply eval_indicators2].
  transitivity (map (fun k => nth k (eval clean x) 0) (seq 0 K)).
  - apply map_ext. intros k. apply (f_S_outside (ind2 (phi m) a b) B S). intros c y I. destruct (H c y I) as [Lc Uc].
    apply soft_0; auto. pose proof (phi_error m c x ltac:(congruence) Uc U). specialize (Out c y I). lra.
  - assert (Lc : length (eval clean x) = K) by (unfold eval; now rewrite affine_length). rewrite <- Lc. apply map_nth_seq.
Qed.
