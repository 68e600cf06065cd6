(** Main theorems [thresholds_linf] and [thresholds_l2]: the dyadic thresholds that the library computes satisfy the hypotheses of the theorems
    of f_S, with [memorize_thresholds] and [shared_thresholds] as the theorems that result. [thresholds] is the library's function in exact
    rational arithmetic; which numbers are floating point numbers ([rep]) is left open, as it does not matter. *)
From Coq Require Import Reals Lra List Lia Arith ZArith QArith Qround Qpower Qreals Bool Lqa.
From CGRO Require Import Networks EuclideanDistance Indicators Memorize MemorizeEuclidean MemorizeIndicators MemorizeGate MemorizeShared.
Import ListNotations.

(** * the function *)
Open Scope Q_scope.
Section Function.
Variable rep : Q -> bool.
Definition pow2 (e : Z) : Q := 2 ^ e.
(** The greatest e with 2^e <= v, for v > 0. *)
Definition floor_log2 (v : Q) : Z :=
  let e := (Z.log2 (Qnum v) - Z.log2 (Zpos (Qden v)))%Z in if Qle_bool (pow2 e) v then e else (e - 1)%Z.
(** Thresholds between [inside] and [outside], or none. *)
Definition attempt (inside outside : Q) : option (Q * Q) :=
  if Qle_bool outside inside then None else
  let grid := Z.max 16 (4 - floor_log2 (outside - inside)) in
  let inner := inject_Z (Qceiling (inside * pow2 grid + (1 # 2))) / pow2 grid in
  let outer := inner + pow2 (floor_log2 (outside - inner)) in
  if rep inner && rep outer then Some (inner, outer) else None.
Definition powerQ (squared : bool) (x : Q) : Q := if squared then x * x else x.
Definition Qmaximum (x y : Q) : Q := if Qle_bool x y then y else x.
Definition Qminimum (x y : Q) : Q := if Qle_bool x y then x else y.
(** [squared]: l_2; [separated] is None for infinity. *)
Definition thresholds (squared : bool) (radius : Q) (separated : option Q) (error doubt : Q) : option (Q * Q) :=
  if Qle_bool radius (1048576 # 1) then
    let inside := powerQ squared radius + error + doubt in
    let try_at far := attempt inside (powerQ squared far - doubt) in
    match separated with
    | None => try_at (2 * Qmaximum radius (1 # 1024))
    | Some r => let r' := Qminimum r (1024 * Qmaximum 1 radius) in
      match try_at (r' / 2) with Some t => Some t | None => try_at (r' - radius) end
    end
  else None.

(** * what it gives *)
Lemma pow2_pos e : 0 < pow2 e.
Proof. apply Qpower_0_lt. lra. Qed.
(** A number is at least the power of two that [floor_log2] finds. *)
Lemma floor_log2_le v : 0 < v -> pow2 (floor_log2 v) <= v.
Proof.
  intros V. unfold floor_log2. destruct (Qle_bool _ v) eqn:E; [now apply Qle_bool_iff|]. clear E.
  destruct v as [n d]. unfold Qlt in V; simpl in V. rewrite Z.mul_1_r in V. cbn [Qnum Qden].
  assert (A : inject_Z (2 ^ Z.log2 n) <= inject_Z n) by (rewrite <- Zle_Qle; apply Z.log2_spec; lia).
  assert (B : inject_Z (Zpos d) < inject_Z (2 ^ Z.succ (Z.log2 (Zpos d)))) by (rewrite <- Zlt_Qlt; apply Z.log2_spec; lia).
  rewrite Zpower_Qpower in A by apply Z.log2_nonneg. rewrite Zpower_Qpower in B by (pose proof (Z.log2_nonneg (Zpos d)); lia).
  change (inject_Z 2) with 2 in A, B. fold (pow2 (Z.log2 n)) in A. fold (pow2 (Z.succ (Z.log2 (Zpos d)))) in B.
  replace (Z.log2 n - Z.log2 (Zpos d) - 1)%Z with (Z.log2 n - Z.succ (Z.log2 (Zpos d)))%Z by lia. unfold pow2 at 1. rewrite Qpower_minus by lra.
  fold (pow2 (Z.log2 n)). fold (pow2 (Z.succ (Z.log2 (Zpos d)))).
  apply Qle_shift_div_r; [apply pow2_pos|]. eapply Qle_trans; [exact A|].
  assert (N : inject_Z n == (n # d) * inject_Z (Zpos d)) by (unfold Qeq; simpl; lia). rewrite N.
  apply Qmult_le_l; [unfold Qlt; simpl; lia | lra].
Qed.
(** The thresholds lie where they should. *)
Theorem attempt_sound inside outside a b : attempt inside outside = Some (a, b) ->
  inside <= a /\ a < b /\ b <= outside /\ exists e, b == a + pow2 e.
Proof.
  unfold attempt. destruct (Qle_bool outside inside) eqn:E; [discriminate|].
  assert (G : 0 < outside - inside).
  { assert (~ outside <= inside) by (intros H; apply Qle_bool_iff in H; congruence). lra. }
  set (gap := outside - inside) in *. set (e := floor_log2 gap). set (grid := Z.max 16 (4 - e)). set (p := pow2 grid).
  set (inner := inject_Z (Qceiling (inside * p + (1 # 2))) / p). destruct (rep inner && _); [|discriminate].
  intros H; inversion H; subst; clear H.
  assert (P : 0 < p) by apply pow2_pos.
  assert (Pg : 16 <= p * gap).
  { pose proof (floor_log2_le gap G) as L. fold e in L. assert (Q : pow2 (4 - e) <= p) by (apply Qpower_le_compat_l; [unfold grid; lia | lra]).
    assert (X : pow2 (4 - e) * pow2 e == 16). { unfold pow2. rewrite <- Qpower_plus by lra. replace (4 - e + e)%Z with 4%Z by lia. reflexivity. }
    rewrite <- X. apply Qle_trans with (p * pow2 e); [apply Qmult_le_compat_r; auto; apply Qlt_le_weak, pow2_pos | apply Qmult_le_l; auto]. }
  assert (C1 : inside * p + (1 # 2) <= inject_Z (Qceiling (inside * p + (1 # 2)))) by apply Qle_ceiling.
  assert (C2 : inject_Z (Qceiling (inside * p + (1 # 2))) < inside * p + (1 # 2) + 1).
  { pose proof (Qceiling_lt (inside * p + (1 # 2))) as C. unfold Z.sub in C. rewrite inject_Z_plus in C. change (inject_Z (- (1))) with (- (1)) in C. lra. }
  assert (A1 : inside <= inner) by (unfold inner; apply Qle_shift_div_l; auto; lra).
  assert (A2 : inner < outside).
  { unfold inner. apply Qlt_shift_div_r; auto. unfold gap in Pg. assert (X : p * (outside - inside) == outside * p - inside * p) by ring. rewrite X in Pg. lra. }
  assert (W : pow2 (floor_log2 (outside - inner)) <= outside - inner) by (apply floor_log2_le; lra). pose proof (pow2_pos (floor_log2 (outside - inner))).
  repeat split; try lra. exists (floor_log2 (outside - inner)). reflexivity.
Qed.
(** Least and greatest. *)
Lemma Qminimum_le x y : Qminimum x y <= x /\ Qminimum x y <= y /\ (forall z, z < x -> z < y -> z < Qminimum x y).
Proof. unfold Qminimum. destruct (Qle_bool x y) eqn:E; [apply Qle_bool_iff in E | assert (~ x <= y) by (intros H; apply Qle_bool_iff in H; congruence)]; repeat split; intros; lra. Qed.
(** The greatest. *)
Lemma Qmaximum_ge x y : x <= Qmaximum x y /\ y <= Qmaximum x y.
Proof. unfold Qmaximum. destruct (Qle_bool x y) eqn:E; [apply Qle_bool_iff in E | assert (~ x <= y) by (intros H; apply Qle_bool_iff in H; congruence)]; lra. Qed.
(** From thresholds: up to where the indicator is 1, and a distance [far] from where on it is 0, near enough for the separation. *)
Theorem thresholds_sound squared radius separated error doubt a b : 0 <= radius -> 0 <= doubt ->
  match separated with None => True | Some r => 2 * radius < r end ->
  thresholds squared radius separated error doubt = Some (a, b) ->
  powerQ squared radius + error <= a /\ a < b /\
  exists far, 0 < far /\ b <= powerQ squared far /\ match separated with None => True | Some r => far + radius <= r end.
Proof.
  intros R0 D0 Sep. unfold thresholds. destruct (Qle_bool radius _); [|discriminate].
  set (inside := powerQ squared radius + error + doubt).
  assert (T : forall far, attempt inside (powerQ squared far - doubt) = Some (a, b) -> powerQ squared radius + error <= a /\ a < b /\ b <= powerQ squared far).
  { intros far H. destruct (attempt_sound _ _ _ _ H) as [A [B [C _]]]. unfold inside in A. repeat split; lra. }
  destruct separated as [r|].
  - destruct (Qminimum_le r (1024 * Qmaximum 1 radius)) as [M1 [_ M3]]. destruct (Qmaximum_ge 1 radius) as [X1 X2].
    set (r' := Qminimum r (1024 * Qmaximum 1 radius)) in *. assert (P : radius < r') by (apply M3; lra).
    destruct (attempt inside (powerQ squared (r' / 2) - doubt)) as [t|] eqn:E.
    + intros H. inversion H; subst. destruct (T _ E) as [A [B C]]. repeat split; auto. exists (r' / 2). assert (Hf : r' / 2 == r' * (1 # 2)) by field. repeat split; auto; rewrite ?Hf; lra.
    + intros H. destruct (T _ H) as [A [B C]]. repeat split; auto. exists (r' - radius). repeat split; auto; lra.
  - intros H. destruct (T _ H) as [A [B C]]. destruct (Qmaximum_ge radius (1 # 1024)) as [X1 X2]. repeat split; auto. exists (2 * Qmaximum radius (1 # 1024)).
    repeat split; auto. lra.
Qed.
End Function.

(** * the hypotheses of the theorems of f_S *)
Open Scope R_scope.
(** Points of different labels are at least r apart, in l_inf. *)
Definition apart (r : R) (S : data) := forall c y c' y', In (c, y) S -> In (c', y') S -> y <> y' -> outside c' r c.
Definition apart2 (r : R) (S : data) := forall c y c' y', In (c, y) S -> In (c', y') S -> y <> y' -> r ^ 2 <= d2 c' c.
Definition apart_opt (apart : R -> data -> Prop) (separated : option Q) (S : data) := match separated with
  | Some r => apart (Q2R r) S | None => forall c y c' y', In (c, y) S -> In (c', y') S -> y = y' end.
(** Outside a ball is outside a smaller one. *)
Lemma outside_less r r' c x : r' <= r -> outside c r x -> outside c r' x.
Proof. intros H [j [J K]]. exists j. split; auto. Lra.lra. Qed.
(** Rational and real doubles. *)
Lemma Q2R_double radius r : (2 * radius < r)%Q -> 2 * Q2R radius < Q2R r.
Proof. intros H. apply Qlt_Rlt in H. rewrite Q2R_mult in H. unfold Q2R in H at 1. simpl in H. Lra.lra. Qed.
(** l_inf: the hypotheses of [memorize_on_ball] and [gate_on_ball]. *)
Theorem thresholds_linf rep radius sep error doubt a b (S : data) : (0 <= radius)%Q -> (0 <= doubt)%Q -> (0 <= error)%Q ->
  match sep with None => True | Some r => (2 * radius < r)%Q end ->
  thresholds rep false radius sep error doubt = Some (a, b) -> apart_opt apart sep S ->
  Q2R radius <= Q2R a /\ 0 <= Q2R a /\ Q2R a < Q2R b /\ separated (Q2R b) (Q2R radius) S.
Proof.
  intros R0 D0 E0 Hs T Ap. destruct (thresholds_sound rep false radius sep error doubt a b R0 D0 Hs T) as [A [B [far [F0 [F1 F2]]]]]. cbn [powerQ] in *.
  assert (Ra : (radius <= a)%Q) by lra. assert (R1 : 0 <= Q2R radius) by (replace 0 with (Q2R 0) by (unfold Q2R; simpl; Lra.lra); now apply Qle_Rle).
  apply Qle_Rle in Ra. apply Qlt_Rlt in B. apply Qle_Rle in F1. repeat split; try Lra.lra.
  intros c y c' y' I I' N. destruct sep as [r|]; [|exfalso; apply N; eapply Ap; eauto].
  apply Qle_Rle in F2. rewrite Q2R_plus in F2. apply (outside_less (Q2R r)); [Lra.lra|]. eapply Ap; eauto.
Qed.
(** l_2: the hypotheses of [shared_on_ball] and [euclidean_on_ball]. *)
Theorem thresholds_l2 rep radius sep error doubt a b (S : data) : (0 <= radius)%Q -> (0 <= doubt)%Q ->
  match sep with None => True | Some r => (2 * radius < r)%Q end ->
  thresholds rep true radius sep error doubt = Some (a, b) -> apart_opt apart2 sep S ->
  Q2R radius ^ 2 + Q2R error <= Q2R a /\ Q2R a < Q2R b /\ exists outer, 0 < outer /\ Q2R b <= outer ^ 2 /\ separated2 (Q2R radius) outer S.
Proof.
  intros R0 D0 Hs T Ap. destruct (thresholds_sound rep true radius sep error doubt a b R0 D0 Hs T) as [A [B [far [F0 [F1 F2]]]]]. cbn [powerQ] in *.
  assert (R1 : 0 <= Q2R radius) by (replace 0 with (Q2R 0) by (unfold Q2R; simpl; Lra.lra); now apply Qle_Rle).
  apply Qle_Rle in A. rewrite Q2R_plus, Q2R_mult in A. apply Qlt_Rlt in B. apply Qle_Rle in F1. rewrite Q2R_mult in F1.
  apply Qlt_Rlt in F0. replace (Q2R 0) with 0 in F0 by (unfold Q2R; simpl; Lra.lra).
  split; [simpl; Lra.lra|]. split; [auto|]. exists (Q2R far). split; [auto|]. split; [simpl; Lra.lra|].
  intros c y c' y' I I' N. destruct sep as [r|]; [|exfalso; apply N; eapply Ap; eauto].
  apply Qle_Rle in F2. rewrite Q2R_plus in F2. eapply Rle_trans; [|eapply Ap; eauto]. apply pow_incr. Lra.lra.
Qed.
(** f_S with the library's thresholds, l_inf: variant lean ... *)
Theorem memorize_thresholds rep radius sep doubt a b B D clean (S : data) c y x v : (0 <= radius)%Q -> (0 <= doubt)%Q ->
  match sep with None => True | Some r => (2 * radius < r)%Q end -> thresholds rep false radius sep 0 doubt = Some (a, b) -> apart_opt apart sep S ->
  wf D clean -> length (readout clean) = 1%nat -> eval clean x = [v] -> Rabs v <= B -> (forall c y, In (c, y) S -> length c = D) -> (y < 2)%nat ->
  In (c, y) S -> in_ball c (Q2R radius) x -> eval (memorize (Q2R a) (Q2R b) B D clean S) x = [sign_of y].
Proof.
  intros R0 D0 Hs T Ap W O E Hb HS Y I Bx. destruct (thresholds_linf rep radius sep 0 doubt a b S R0 D0 (Qle_refl 0) Hs T Ap) as [A [A0 [AB Sp]]].
  apply (memorize_on_ball (Q2R a) (Q2R b) B D A0 AB (Q2R radius)) with (c := c) (v := v); auto.
Qed.
(** ... and gate. *)
Theorem gate_thresholds rep radius sep doubt a b B D clean (S : data) c y x v : (0 <= radius)%Q -> (0 <= doubt)%Q ->
  match sep with None => True | Some r => (2 * radius < r)%Q end -> thresholds rep false radius sep 0 doubt = Some (a, b) -> apart_opt apart sep S ->
  wf D clean -> length (readout clean) = 1%nat -> eval clean x = [v] -> Rabs v <= B -> (1 <= D)%nat -> (forall c y, In (c, y) S -> length c = D) -> (y < 2)%nat ->
  In (c, y) S -> length x = D -> Forall (Rle 0) x -> in_ball c (Q2R radius) x -> eval (memorize2 B (gate_indicators (Q2R a) (Q2R b) D S) S clean) x = [sign_of y].
Proof.
  intros R0 D0 Hs T Ap W O E Hb D1 HS Y I L X Bx. destruct (thresholds_linf rep radius sep 0 doubt a b S R0 D0 (Qle_refl 0) Hs T Ap) as [A [A0 [AB Sp]]].
  apply gate_on_ball with (delta := Q2R radius) (c := c) (v := v); auto.
Qed.
(** f_S with the library's thresholds, l_2, variant lean; error: D 4^-(m+1) and the rounding r of the norms. *)
Theorem shared_thresholds rep m r radius sep error doubt a b norm B D clean (S : data) c y x v : (1 <= m)%nat -> (0 <= radius)%Q -> (0 <= doubt)%Q ->
  match sep with None => True | Some r => (2 * radius < r)%Q end -> INR D * / 4 ^ (m + 1) + r <= Q2R error ->
  thresholds rep true radius sep error doubt = Some (a, b) -> apart_opt apart2 sep S ->
  wf D clean -> length (readout clean) = 1%nat -> eval clean x = [v] -> Rabs v <= B -> norms_hold D r norm S -> (y < 2)%nat ->
  In (c, y) S -> length x = D -> unit x -> d2 c x <= Q2R radius ^ 2 ->
  eval (memorize2 B (shared_indicators m D (Q2R a) (Q2R b) norm S) S clean) x = [sign_of y].
Proof.
  intros M R0 D0 Hs Er T Ap W O E Hb HS Y I L X Bx. destruct (thresholds_l2 rep radius sep error doubt a b S R0 D0 Hs T Ap) as [A [AB [outer [F0 [F1 Sp]]]]].
  assert (R1 : 0 <= Q2R radius) by (replace 0 with (Q2R 0) by (unfold Q2R; simpl; Lra.lra); now apply Qle_Rle).
  apply shared_on_ball with (delta := Q2R radius) (outer := outer) (r := r) (c := c) (v := v); auto. Lra.lra.
Qed.
(** Variant gate, l_2. *)
Theorem euclidean_thresholds rep m radius sep error doubt a b B D clean (S : data) c y x v : (1 <= m)%nat -> (0 <= radius)%Q -> (0 <= doubt)%Q ->
  match sep with None => True | Some r => (2 * radius < r)%Q end -> INR D * / 4 ^ (m + 1) <= Q2R error ->
  thresholds rep true radius sep error doubt = Some (a, b) -> apart_opt apart2 sep S ->
  wf D clean -> length (readout clean) = 1%nat -> eval clean x = [v] -> Rabs v <= B -> (forall c y, In (c, y) S -> length c = D /\ unit c) -> (y < 2)%nat ->
  In (c, y) S -> length x = D -> unit x -> d2 c x <= Q2R radius ^ 2 ->
  eval (memorize2 B (indicators2 m D (Q2R a) (Q2R b) S) S clean) x = [sign_of y].
Proof.
  intros M R0 D0 Hs Er T Ap W O E Hb HS Y I L X Bx. destruct (thresholds_l2 rep radius sep error doubt a b S R0 D0 Hs T Ap) as [A [AB [outer [F0 [F1 Sp]]]]].
  assert (R1 : 0 <= Q2R radius) by (replace 0 with (Q2R 0) by (unfold Q2R; simpl; Lra.lra); now apply Qle_Rle).
  apply euclidean_on_ball with (delta := Q2R radius) (outer := outer) (c := c) (v := v); auto. Lra.lra.
Qed.
