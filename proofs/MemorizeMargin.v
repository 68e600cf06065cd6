(** f_adv: f_S on the points that f_clean does not hold robustly; the others keep f_clean's sign. l_inf, lean, two labels. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Indicators Memorize.
Import ListNotations.
Open Scope R_scope.

Theorem f_S2_keeps ind B (ind_ge0 : forall c x, 0 <= ind c x) S clean x y : 0 <= B -> (y < 2)%nat ->
  (forall c' y', In (c', y') S -> y' <> y -> ind c' x = 0) ->
  0 < sign_of y * clean x -> 0 < sign_of y * f_S2 ind B clean S x.
Proof.
  intros HB Y H V. assert (Z : forall k, k <> y -> capped ind S k x = 0).
  { intros k N. apply capped_0, total_far. intros c' y' I ->. eauto. }
  unfold f_S2, gate, sign_of in *. pose proof (capped_range ind ind_ge0 S 0 x). pose proof (capped_range ind ind_ge0 S 1 x).
  destruct y as [|[|y]]; [| | lia]; simpl Nat.eqb in *; cbv iota in *.
  - rewrite (Z 1%nat) by lia. set (s := capped ind S 0 x) in *. assert (0 <= B * s) by nra.
    destruct (Req_EM_T s 0) as [E|N]; [rewrite E in *|]; relus; lra.
  - rewrite (Z 0%nat) by lia. set (s := capped ind S 1 x) in *. assert (0 <= B * s) by nra.
    destruct (Req_EM_T s 0) as [E|N]; [rewrite E in *|]; relus; lra.
Qed.
(** [All]: all training points; [S]: the memorized ones. Each ball gets its label's sign, if f_clean gives it on the balls of the others. *)
Theorem f_adv_robust inner outer delta B D clean S All c y x v :
  0 <= inner -> inner < outer -> delta <= inner -> wf D clean -> length (readout clean) = 1%nat ->
  (forall c y, In (c, y) All -> length c = D) -> (forall c y, In (c, y) S -> length c = D) ->
  (forall c' y', In (c', y') S -> y' <> y -> outside c' (outer + delta) c) ->
  In (c, y) All -> (y < 2)%nat -> in_ball c delta x -> eval clean x = [v] -> Rabs v <= B ->
  In (c, y) S \/ 0 < sign_of y * v ->
  exists f, eval (memorize inner outer B D clean S) x = [f] /\ 0 < sign_of y * f.
Proof.
  intros Hi Hio Hd W O DA DS Sep I Y Bx E Hb C.
  assert (L : length x = D) by (rewrite (in_ball_length _ _ _ Bx); eauto).
  rewrite (eval_memorize inner outer B D Hi Hio clean S x v) by auto. eexists; split; [reflexivity|].
  assert (Far : forall c' y', In (c', y') S -> y' <> y -> indicator inner outer c' x = 0).
  { intros c' y' I' N. apply indicator_0; auto; [rewrite L; symmetry; eauto|].
    apply (outside_ball c c' delta); auto; [rewrite (DA _ _ I), (DS _ _ I'); auto | eauto]. }
  destruct C as [IS|V].
  - rewrite (f_S2_on_ball _ B (indicator_ge0 inner outer) S _ c y); auto.
    + unfold sign_of. destruct (Nat.eqb y 0); lra.
    + repeat split; auto. apply indicator_1. eapply in_ball_le; eauto.
  - apply (f_S2_keeps _ B (indicator_ge0 inner outer)); auto. pose proof (Rabs_pos v). lra.
Qed.
