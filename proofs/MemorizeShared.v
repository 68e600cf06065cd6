(** Main theorems [shared_on_ball], [shared_outside] (two labels), [sharedK_on_ball], [sharedK_outside] (K classes): f_S on l_2 balls, variant
    lean, whose centres share their squares: sum_j f_m(x_j) - 2 <c, x> + w_c, as a network, for every m, f_clean, N and D. w_c may exceed ||c||^2
    by up to r (its rounding, upwards). [euclidean_on_ball], [euclidean_outside]: variant gate (a squared distance for each centre), two labels. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Squaring Multiplication EuclideanDistance Distance Indicators Memorize MemorizeClasses MemorizeEuclidean MemorizeIndicators Copies.
Import ListNotations.
Open Scope R_scope.

Section Shared.
Variables (m D : nat) (a b r : R) (norm : vec -> R).
Hypotheses (Hm : (1 <= m)%nat) (Hab : a < b).

(** * the network *)
(** Sum of the squares of D coordinates. *)
Definition shared_squares : net := compose (linear [repeat 1 D]) (copies D 1 (squaring m)).
(** That sum and the coordinates, a unit each. *)
Definition shared_base : net := compose (carry (1 + D) 1) (parallel shared_squares (carry D m)).
(** 1, -2 c and the norm: a centre's squared distance. *)
Definition shared_rows (S : data) : layer := map (fun cy => (1 :: vscale (-2) (fst cy), norm (fst cy))) S.
Definition shared_distances (S : data) : net := compose (Net [] (shared_rows S)) shared_base.
Definition shared_indicators (S : data) : net :=
  compose (copies (length S) 1 (soft_indicator a b)) (compose (carry (length S) 1) (shared_distances S)).

(** * its value *)
Definition phi_norm (c x : vec) : R := sum_sq m x - 2 * dot c x + norm c.
Definition indS (c x : vec) : R := soft a b (phi_norm c x).
(** Indicators are not negative. *)
Lemma indS_ge0 c x : 0 <= indS c x.
Proof. now apply soft_ge0. Qed.
(** One-sided error. *)
Lemma phi_norm_error c x : length x = length c -> unit x -> dot c c <= norm c <= dot c c + r ->
  0 <= phi_norm c x - d2 c x <= INR (length c) * / 4 ^ (m + 1) + r.
Proof. intros L U N. pose proof (phi_shared_error m c x L U) as E. unfold phi_shared in E. unfold phi_norm. lra. Qed.
(** Lists of one. *)
Lemma concat_singletons {A} (f : A -> R) l : concat (map (fun v => [f v]) l) = map f l.
Proof. induction l; simpl; congruence. Qed.
(** Squaring has one output. *)
Lemma readout_squaring : length (readout (squaring m)) = 1%nat.
Proof. destruct m as [|[|k]]; reflexivity. Qed.
(** Squares of all coordinates. *)
Lemma eval_squares x : length x = D -> unit x -> eval (copies D 1 (squaring m)) x = map (sq m) x.
Proof.
  intros L U. rewrite <- (map_id x) at 1. rewrite <- (concat_singletons (fun v => v)), <- L. rewrite <- (map_length (fun v => [v]) x) at 1.
  rewrite eval_copies; [|now apply wf_squaring|].
  - rewrite map_map, <- concat_singletons. f_equal. apply map_ext_in. intros v I. unfold unit in U. rewrite Forall_forall in U.
    now rewrite eval_squaring by auto.
  - intros v I. apply in_map_iff in I as [u [<- _]]. reflexivity.
Qed.
(** The sum of squares. *)
Lemma sum_squares x : fold_right Rplus 0 (map (sq m) x) = sum_sq m x.
Proof. induction x; simpl; congruence. Qed.
(** Points of the cube are not negative. *)
Lemma unit_ge0 x : unit x -> Forall (Rle 0) x.
Proof. intros U. eapply Forall_impl; [|exact U]. simpl. intros; lra. Qed.
(** Nor is the sum of squares. *)
Lemma sum_sq_ge0 x : unit x -> 0 <= sum_sq m x.
Proof. induction 1; cbn [sum_sq]; [lra|]. pose proof (sq_ge0 m x H). lra. Qed.
(** Depth of the squares. *)
Lemma depth_shared_squares : depth shared_squares = m.
Proof. unfold shared_squares. rewrite depth_compose, depth_copies, depth_squaring. reflexivity. Qed.
(** The squares fit. *)
Lemma wf_shared_squares : wf D shared_squares /\ length (readout shared_squares) = 1%nat.
Proof.
  destruct (wf_copies D 1 (squaring m) (wf_squaring m Hm)) as [W L]. rewrite Nat.mul_1_r in W. split; [|reflexivity].
  apply wf_compose; auto. rewrite L, readout_squaring. unfold wf, linear; simpl. constructor; [|constructor]. cbn [fst]. rewrite repeat_length. lia.
Qed.
(** Carrying fits. *)
Lemma wf_carry n k : wf n (carry n k).
Proof. unfold wf, carry; cbn [hidden readout]. induction k; cbn [repeat fit]; [apply fits_ident|]. split; [apply fits_ident|]. now rewrite ident_length. Qed.
(** The sum of squares, and the point. *)
Lemma eval_shared_base x : length x = D -> unit x -> eval shared_base x = sum_sq m x :: x.
Proof.
  intros L U. unfold shared_base. rewrite eval_compose, (eval_parallel _ _ D); auto; [|apply wf_shared_squares | now rewrite depth_shared_squares, depth_carry].
  rewrite (eval_carry D m) by (auto using unit_ge0). unfold shared_squares. rewrite eval_compose, eval_squares, eval_linear by auto. cbn [map].
  rewrite dot_repeat_sum, sum_squares by (now rewrite map_length). simpl app. rewrite eval_carry.
  - f_equal. lra.
  - simpl. now rewrite L.
  - constructor; [pose proof (sum_sq_ge0 x U); lra | now apply unit_ge0].
Qed.
(** All squared distances. *)
Lemma eval_shared_distances S x : length x = D -> unit x -> eval (shared_distances S) x = map (fun cy => phi_norm (fst cy) x) S.
Proof.
  intros L U. unfold shared_distances. rewrite eval_compose, eval_shared_base by auto. unfold eval, run, affine, shared_rows. cbn [hidden readout fold_left].
  rewrite map_map. apply map_ext. intros cy. cbn [fst snd dot]. rewrite dot_vscale. unfold phi_norm. lra.
Qed.
Definition norms_hold (S : data) := forall c y, In (c, y) S -> length c = D /\ unit c /\ dot c c <= norm c <= dot c c + r.
(** All indicators. *)
Theorem eval_shared_indicators S x : norms_hold S -> length x = D -> unit x ->
  eval (shared_indicators S) x = map (fun cy => indS (fst cy) x) S.
Proof.
  intros H L U. unfold shared_indicators. rewrite !eval_compose, eval_shared_distances by auto. rewrite eval_carry.
  - rewrite <- (concat_singletons (fun cy => phi_norm (fst cy) x)).
    rewrite <- (map_length (fun cy : vec * nat => [phi_norm (fst cy) x]) S). rewrite eval_copies; [|wfs|].
    + rewrite map_map. rewrite (map_ext _ (fun cy => [indS (fst cy) x])) by (intros; now rewrite eval_soft_indicator).
      apply concat_singletons.
    + intros v I. apply in_map_iff in I as [u [<- _]]. reflexivity.
  - now rewrite map_length.
  - rewrite Forall_map. apply Forall_forall. intros [c y] I. cbn [fst]. destruct (H c y I) as [Lc [Uc N]].
    pose proof (phi_norm_error c x ltac:(congruence) U N). pose proof (d2_ge0 c x). lra.
Qed.

(** * f_S *)
Variables (delta outer B : R) (clean : net) (S : data) (x : vec).
Hypotheses (Ha : delta ^ 2 + (INR D * / 4 ^ (m + 1) + r) <= a) (Hb : b <= outer ^ 2) (Ho : 0 < outer) (Hd : 0 <= delta).
Hypotheses (W : wf D clean) (HS : norms_hold S) (L : length x = D) (U : unit x).
(** Centres of other labels do not reach the ball. *)
Lemma shared_covered c y : separated2 delta outer S -> In (c, y) S -> d2 c x <= delta ^ 2 -> covered indS S x c y.
Proof.
  intros Sep I Bx. destruct (HS c y I) as [Lc [Uc N]]. repeat split; auto.
  - apply soft_1; auto. pose proof (phi_norm_error c x ltac:(congruence) U N) as E. rewrite Lc in E. lra.
  - intros c' y' I' Ny. destruct (HS c' y' I') as [Lc' [Uc' N']]. apply soft_0; auto.
    pose proof (phi_norm_error c' x ltac:(congruence) U N').
    pose proof (d2_far delta outer c c' x Ho Hd ltac:(congruence) ltac:(congruence) Bx (Sep c y c' y' I I' ltac:(auto))). lra.
Qed.
(** Outside the outer balls all indicators are 0. *)
Lemma shared_far : (forall c y, In (c, y) S -> outer ^ 2 <= d2 c x) -> forall c y, In (c, y) S -> indS c x = 0.
Proof.
  intros O c y I. destruct (HS c y I) as [Lc [Uc N]]. apply soft_0; auto. pose proof (phi_norm_error c x ltac:(congruence) U N). specialize (O c y I). lra.
Qed.
(** Two labels: the label on the ball. *)
Theorem shared_on_ball c y v : length (readout clean) = 1%nat -> eval clean x = [v] -> Rabs v <= B -> (y < 2)%nat ->
  separated2 delta outer S -> In (c, y) S -> d2 c x <= delta ^ 2 -> eval (memorize2 B (shared_indicators S) S clean) x = [sign_of y].
Proof.
  intros O E Bv Y Sep I Bx. apply (memorize2_covered indS B D (shared_indicators S) S indS_ge0 clean x W L) with (c := c) (v := v); auto.
  - now apply eval_shared_indicators.
  - now apply shared_covered.
Qed.
(** Two labels: f_clean outside. *)
Theorem shared_outside : length (readout clean) = 1%nat -> (forall c y, In (c, y) S -> outer ^ 2 <= d2 c x) ->
  eval (memorize2 B (shared_indicators S) S clean) x = eval clean x.
Proof.
  intros O Out. apply (memorize2_outside indS B D (shared_indicators S) S indS_ge0 clean x W L); auto.
  - now apply eval_shared_indicators.
  - now apply shared_far.
Qed.
(** K classes: the label's one-hot row on the ball. *)
Theorem sharedK_on_ball K c y : length (readout clean) = K -> (forall k, Rabs (nth k (eval clean x) 0) <= B) -> (y < K)%nat ->
  separated2 delta outer S -> In (c, y) S -> d2 c x <= delta ^ 2 ->
  eval (memorizeK B K (shared_indicators S) S clean) x = map (fun k => if Nat.eqb k y then 1 else 0) (seq 0 K).
Proof.
  intros O Bv Y Sep I Bx. apply (memorizeK_covered indS B D (shared_indicators S) S indS_ge0 clean x W L) with (c := c); auto.
  - now apply eval_shared_indicators.
  - now apply shared_covered.
Qed.
(** K classes: f_clean outside. *)
Theorem sharedK_outside K : length (readout clean) = K -> (forall c y, In (c, y) S -> outer ^ 2 <= d2 c x) ->
  eval (memorizeK B K (shared_indicators S) S clean) x = eval clean x.
Proof.
  intros O Out. apply (memorizeK_out indS B D (shared_indicators S) S indS_ge0 clean x W L); auto.
  - now apply eval_shared_indicators.
  - now apply shared_far.
Qed.
End Shared.

(** * variant gate, two labels *)
Section Euclidean.
Variables (m D : nat) (a b delta outer B : R) (clean : net) (S : data) (x : vec).
Hypotheses (Hm : (1 <= m)%nat) (Hab : a < b) (Ha : delta ^ 2 + INR D * / 4 ^ (m + 1) <= a) (Hb : b <= outer ^ 2) (Ho : 0 < outer) (Hd : 0 <= delta).
Hypotheses (W : wf D clean) (O : length (readout clean) = 1%nat) (HS : forall c y, In (c, y) S -> length c = D /\ unit c) (L : length x = D) (U : unit x).
(** The error in D dimensions. *)
Lemma phi_error_D c x' : length c = D -> length x' = D -> unit c -> unit x' -> 0 <= phi m c x' - d2 c x' <= INR D * / 4 ^ (m + 1).
Proof. intros Lc Lx Uc Ux. rewrite <- Lc. apply phi_error; auto. congruence. Qed.
(** The label on the ball. *)
Theorem euclidean_on_ball c y v : eval clean x = [v] -> Rabs v <= B -> (y < 2)%nat ->
  separated2 delta outer S -> In (c, y) S -> d2 c x <= delta ^ 2 -> eval (memorize2 B (indicators2 m D a b S) S clean) x = [sign_of y].
Proof.
  intros E Bv Y Sep I Bx.
  apply (memorize2_covered (ind2 (phi m) a b) B D (indicators2 m D a b S) S (fun _ _ => soft_ge0 a b _ Hab) clean x W L) with (c := c) (v := v); auto.
  - now apply eval_indicators2.
  - apply (l2_covered (phi m) (INR D * / 4 ^ (m + 1)) D phi_error_D) with (delta := delta) (outer := outer); auto.
Qed.
(** f_clean outside. *)
Theorem euclidean_outside : (forall c y, In (c, y) S -> outer ^ 2 <= d2 c x) -> eval (memorize2 B (indicators2 m D a b S) S clean) x = eval clean x.
Proof.
  intros Out. apply (memorize2_outside (ind2 (phi m) a b) B D (indicators2 m D a b S) S (fun _ _ => soft_ge0 a b _ Hab) clean x W L); auto.
  - now apply eval_indicators2.
  - apply (l2_outside (phi m) (INR D * / 4 ^ (m + 1)) D phi_error_D) with (outer := outer); auto.
Qed.
End Euclidean.
