(** f_S, l_inf, lean, two labels: the network, for every f_clean, N and D. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Squaring Multiplication Indicators.
Import ListNotations.
Open Scope R_scope.

Lemma depth_parallel f g : depth f = depth g -> depth (parallel f g) = depth f.
Proof.
  destruct f as [[|a fs] fo], g as [[|b gs] go]; unfold depth, parallel; simpl; intros H; try lia.
  assert (E : forall fs gs n fo go, length fs = length gs -> length (fst (diags n fs gs fo go)) = length fs).
  { clear. induction fs; intros [|b gs] n fo go H; simpl in *; try lia.
    specialize (IHfs gs (length a) fo go ltac:(lia)). destruct (diags (length a) fs gs fo go); simpl in *. lia. }
  specialize (E fs gs (length a) fo go ltac:(lia)). destruct (diags (length a) fs gs fo go). simpl in *. lia.
Qed.
Lemma depth_settled m : depth (settled_squaring m) = S m.
Proof. unfold depth, settled_squaring, teeth. cbn [hidden]. rewrite app_length, map_length, seq_length. simpl. lia. Qed.
Theorem multiplication_depth m M : depth (multiplication m M) = (m + 3)%nat.
Proof.
  unfold multiplication, branch. rewrite !depth_compose, depth_parallel by now rewrite !depth_compose.
  rewrite !depth_compose, depth_settled. unfold depth; simpl. lia.
Qed.

Section Net.
Variables (inner outer B : R) (D : nat).
Hypothesis (Hi : 0 <= inner) (Hio : inner < outer).

(** * the indicator of one ball: 2 D units, then one *)
Fixpoint sides (j : nat) (c : vec) : layer :=
  match c with
  | [] => []
  | a :: c' => (idrow D j, - (a + inner)) :: (map Ropp (idrow D j), a - inner) :: sides (S j) c'
  end.
Definition lean_indicator (c : vec) : net :=
  Net [sides 0 c; [(repeat (-1 / (outer - inner)) (2 * D), 1)]] [([1], 0)].

Lemma dot_opp r : forall x, dot (map Ropp r) x = - dot r x.
Proof. induction r; intros [|v x]; simpl; try lra. rewrite IHr; lra. Qed.
Lemma dot_repeat_sum s n : forall x, length x = n -> dot (repeat s n) x = s * fold_right Rplus 0 x.
Proof. induction n; intros [|v x] H; simpl in *; try lia; try lra. rewrite IHn by lia. lra. Qed.
Lemma run_sides c : forall j x, length x = D -> (j + length c = D)%nat ->
  fold_right Rplus 0 (step x (sides j c)) = excess inner c (skipn j x).
Proof.
  induction c as [|a c IH]; intros j x L J; [reflexivity|]. simpl length in J. cbn [sides].
  change (step x ((idrow D j, - (a + inner)) :: (map Ropp (idrow D j), a - inner) :: sides (S j) c)) with
    (relu (dot (idrow D j) x + - (a + inner)) :: relu (dot (map Ropp (idrow D j)) x + (a - inner)) :: step x (sides (S j) c)).
  cbn [fold_right]. rewrite IH by (auto; lia).
  assert (E : exists v, skipn j x = v :: skipn (S j) x /\ nth j x 0 = v).
  { clear -L J. assert (H : (j < length x)%nat) by lia. clear L J. revert j H.
    induction x; intros [|j] H; simpl in *; try lia; eauto. apply IHx. lia. }
  destruct E as [v [E N]]. rewrite E. simpl excess.
  rewrite dot_opp, dot_idrow, N by (auto; lia). rewrite <- Rplus_assoc. f_equal.
  unfold Rabs; destruct Rcase_abs; relus; lra.
Qed.
Lemma sides_length c : forall j, length (sides j c) = (2 * length c)%nat.
Proof. induction c; simpl; intros; auto. rewrite IHc. lia. Qed.
Lemma eval_lean_indicator c x : length c = D -> length x = D ->
  eval (lean_indicator c) x = [indicator inner outer c x].
Proof.
  intros C L. unfold eval, lean_indicator, run. cbn [hidden readout fold_left].
  unfold step at 1, affine at 1 2. cbn [map fst snd].
  rewrite dot_repeat_sum, run_sides by (rewrite ?step_length, ?sides_length; simpl; lia).
  cbn [skipn dot]. f_equal. unfold indicator.
  replace (-1 / (outer - inner) * excess inner c x + 1) with (1 - excess inner c x / (outer - inner)) by (field; lra). lra.
Qed.
Lemma idrow_length n i : (i < n)%nat -> length (idrow n i) = n.
Proof. intros. unfold idrow. rewrite app_length; simpl. rewrite !repeat_length. lia. Qed.
Lemma fits_sides c : forall j, (j + length c = D)%nat -> fits D (sides j c).
Proof.
  induction c as [|a c IH]; simpl; intros; constructor; [|constructor]; simpl.
  - rewrite idrow_length; lia.
  - rewrite map_length, idrow_length; lia.
  - apply IH. lia.
Qed.
Lemma wf_lean_indicator c : length c = D -> wf D (lean_indicator c).
Proof.
  intros C. unfold wf; simpl. repeat split; [now apply fits_sides | | wfs].
  constructor; [simpl fst|constructor]. rewrite repeat_length, sides_length. lia.
Qed.

(** * all balls *)
Definition indicators (S : data) : net := fold_right (fun cy f => parallel (lean_indicator (fst cy)) f) (Net [[]; []] []) S.
Lemma depth_indicators S : depth (indicators S) = 2%nat.
Proof. induction S; simpl; auto. rewrite depth_parallel; auto. Qed.
Lemma eval_indicators S x : (forall c y, In (c, y) S -> length c = D) -> length x = D ->
  eval (indicators S) x = map (fun cy => indicator inner outer (fst cy) x) S.
Proof.
  intros H L. induction S as [|[c y] S IH]; [reflexivity|]. simpl.
  rewrite (eval_parallel _ _ D); auto.
  - rewrite eval_lean_indicator, IH; auto; [intros; eapply H; right; eauto | eapply H; left; eauto].
  - apply wf_lean_indicator. eapply H; left; eauto.
  - now rewrite depth_indicators.
Qed.

(** * caps and switch *)
Definition members (S : data) (k : nat) : vec := map (fun cy => if Nat.eqb (snd cy) k then -1 else 0) S.
Definition cap (S : data) : net := Net [[(members S 0, 1); (members S 1, 1)]] [([-1; 0], 1); ([0; -1], 1)].
Definition caps (S : data) : net := compose (carry 2 1) (compose (cap S) (indicators S)).
Lemma dot_members S k x : dot (members S k) (map (fun cy => indicator inner outer (fst cy) x) S) = - total (indicator inner outer) S k x.
Proof. induction S as [|[c y] S IH]; [simpl; lra|]. cbn [members map dot total fold_right fst snd] in *.
  fold (members S k). rewrite IH. unfold total. destruct Nat.eqb; lra. Qed.
Lemma eval_cap S x : eval (cap S) (map (fun cy => indicator inner outer (fst cy) x) S) = [capped (indicator inner outer) S 0 x; capped (indicator inner outer) S 1 x].
Proof.
  unfold eval, cap, run. cbn [hidden readout fold_left]. unfold step, affine. cbn [map fst snd]. rewrite !dot_members.
  unfold capped. replace (- total (indicator inner outer) S 0 x + 1) with (1 - total (indicator inner outer) S 0 x) by lra.
  replace (- total (indicator inner outer) S 1 x + 1) with (1 - total (indicator inner outer) S 1 x) by lra. simpl. f_equal; [lra|f_equal; lra].
Qed.
Lemma capped_ge0 S k x : 0 <= capped (indicator inner outer) S k x.
Proof. unfold capped. pose proof (total_ge0 _ (indicator_ge0 inner outer) S k x). relus; lra. Qed.
Lemma eval_caps S x : (forall c y, In (c, y) S -> length c = D) -> length x = D ->
  eval (caps S) x = [capped (indicator inner outer) S 0 x; capped (indicator inner outer) S 1 x].
Proof.
  intros H L. unfold caps. rewrite !eval_compose, eval_indicators, eval_cap by auto. apply eval_carry; auto.
  constructor; [|constructor; [|constructor]]; apply capped_ge0.
Qed.
Definition switch : net :=
  Net [[([1; -B; -B], 0); ([-1; -B; -B], 0); ([0; 1; 0], 0); ([0; 0; 1], 0)]] [([1; -1; 1; -1], 0)].
Lemma eval_switch v s t : 0 <= s -> 0 <= t -> eval switch [v; s; t] = [gate B v (1 - (s + t)) + (s - t)].
Proof.
  intros. unfold eval, switch, run. cbn [hidden readout fold_left]. unfold step, affine. cbn [map fst snd dot].
  rewrite (relu_pos (0 * v + (1 * s + (0 * t + 0)) + 0)), (relu_pos (0 * v + (0 * s + (1 * t + 0)) + 0)) by lra.
  unfold gate. replace (1 * v + (- B * s + (- B * t + 0)) + 0) with (v - B * (1 - (1 - (s + t)))) by lra.
  replace (-1 * v + (- B * s + (- B * t + 0)) + 0) with (- v - B * (1 - (1 - (s + t)))) by lra. f_equal. lra.
Qed.

(** * f_S *)
Definition delay (k : nat) (hold f : net) : net := match k with O => f | _ => compose hold f end.
Definition memorize (clean : net) (S : data) : net :=
  let a := (4 - depth clean)%nat in let b := (depth clean - 4)%nat in
  compose switch (parallel (delay a (carry1 a) clean) (delay b (carry 2 b) (caps S))).

Lemma depth_caps S : depth (caps S) = 4%nat.
Proof. unfold caps. rewrite !depth_compose, depth_indicators. reflexivity. Qed.
Lemma depth_delay k hold f : depth hold = k -> depth (delay k hold f) = (k + depth f)%nat.
Proof. destruct k; simpl; intros; auto. now rewrite depth_compose, H. Qed.
Lemma depth_carry1 k : depth (carry1 k) = k.
Proof. destruct k; unfold depth; simpl; auto. now rewrite repeat_length. Qed.
Lemma depth_carry n k : depth (carry n k) = k.
Proof. unfold depth; simpl. apply repeat_length. Qed.
Lemma fits_ident n : fits n (ident n).
Proof.
  unfold fits, ident. rewrite Forall_map. apply Forall_forall. intros i I. apply in_seq in I. simpl. rewrite idrow_length; lia.
Qed.
Lemma ident_length n : length (ident n) = n.
Proof. unfold ident. now rewrite map_length, seq_length. Qed.
Lemma wf_carry1 k : wf 1 (carry1 k).
Proof.
  destruct k; [wfs|]. unfold wf; simpl. split; [wfs|]. induction k; simpl; [wfs|]. split; auto. apply (fits_ident 2).
Qed.
Lemma wf_delay k f : wf D f -> length (readout f) = 1%nat -> wf D (delay k (carry1 k) f).
Proof. intros W O. destruct k; simpl; auto. apply wf_compose; auto. rewrite O. apply (wf_carry1 (S k)). Qed.

Theorem eval_memorize clean S x v : wf D clean -> length (readout clean) = 1%nat ->
  (forall c y, In (c, y) S -> length c = D) -> length x = D -> eval clean x = [v] ->
  eval (memorize clean S) x = [f_S2 (indicator inner outer) B (fun _ => v) S x].
Proof.
  intros W O H L E. unfold memorize. rewrite eval_compose, (eval_parallel _ _ D); auto.
  - replace (eval (delay _ (carry1 _) clean) x) with [v].
    2: { unfold delay. destruct (4 - depth clean)%nat eqn:K; auto. now rewrite eval_compose, E, eval_carry1. }
    replace (eval (delay _ (carry 2 _) (caps S)) x) with [capped (indicator inner outer) S 0 x; capped (indicator inner outer) S 1 x].
    2: { unfold delay. destruct (depth clean - 4)%nat eqn:K; [now rewrite eval_caps|].
         rewrite eval_compose, eval_caps, eval_carry; auto. constructor; [|constructor; [|constructor]]; apply capped_ge0. }
    simpl app. rewrite eval_switch by apply capped_ge0. reflexivity.
  - now apply wf_delay.
  - rewrite !depth_delay, depth_caps by (apply depth_carry1 || apply depth_carry). lia.
Qed.

(** The theorem of f_S: for every ReLU network [clean] of D inputs and one output with |clean| <= B, all centres, labels,
    delta <= inner < outer with centres of different labels at least outer + delta apart. *)
Theorem memorize_on_ball delta clean S c y x v :
  wf D clean -> length (readout clean) = 1%nat -> eval clean x = [v] -> Rabs v <= B ->
  delta <= inner -> (forall c y, In (c, y) S -> length c = D) -> separated outer delta S -> (y < 2)%nat ->
  In (c, y) S -> in_ball c delta x -> eval (memorize clean S) x = [sign_of y].
Proof.
  intros W O E Hb Hd H Sep Y I Bx.
  rewrite (eval_memorize clean S x v); auto; [|now rewrite (in_ball_length _ _ _ Bx), (H c y)].
  f_equal. apply (f_S2_on_ball _ B (indicator_ge0 inner outer) S _ c y); auto. now apply (linf_covered inner outer delta S D).
Qed.
Theorem memorize_outside clean S x :
  wf D clean -> length (readout clean) = 1%nat -> (forall c y, In (c, y) S -> length c = D) -> length x = D ->
  (forall c y, In (c, y) S -> outside c outer x) -> eval (memorize clean S) x = eval clean x.
Proof.
  intros W O H L Out. assert (E : exists v, eval clean x = [v]).
  { assert (length (eval clean x) = 1%nat) by (unfold eval; now rewrite affine_length).
    destruct (eval clean x) as [|v [|]]; simpl in *; try lia. now exists v. }
  destruct E as [v E]. rewrite (eval_memorize clean S x v); auto. rewrite E. f_equal.
  apply (f_S2_outside (indicator inner outer) B S). apply (linf_outside inner outer S D); auto.
Qed.
End Net.
