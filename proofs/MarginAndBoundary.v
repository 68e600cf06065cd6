(** CGRM, Proposition 3.1 = Theorem A.1: the least y f on the l_p ball of radius delta around x is >= 0 just where x is at least delta
    from the decision boundary, and < 0 just where it is nearer; for every p in [1, oo] ([margin_is_distance]; for ReLU networks, which
    are continuous, [margin_is_distance_network]). One half holds as printed for any f: nearer than delta implies a negative margin
    ([near_is_negative]). The other needs three hypotheses that the paper leaves out: y f(x) > 0, the ball lies in the domain, and zeros
    have no width: next to each zero, y f < 0 somewhere ([zeros_are_limits]). Without any one of them it is false
    ([misclassified_is_negative], [outside_is_negative], [plateau_is_negative]). [touching_is_tie]: y f <= 0 on the closed ball just where the distance is <= delta. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Norms.
Import ListNotations.
Open Scope R_scope.

(** * the statement's terms *)
Section Terms.
Variables (e : exponent) (d : nat).
(** inputs in R^d; [dom] is the paper's X, in which the boundary is looked for *)
Variables (dom : vec -> Prop) (f : vec -> R).
(** DB(f): zeros in the domain, with values of both signs in every ball around them *)
Definition boundary (x : vec) := space d x /\ dom x /\ f x = 0 /\
  forall r, 0 < r -> exists x' x'', space d x' /\ space d x'' /\ dist e x x' <= r /\ dist e x x'' <= r /\ f x' * f x'' < 0.
(** r = dist_p(x, DB(f)), the greatest lower bound; "well-defined": there is one *)
Definition boundary_distance (x : vec) (r : R) :=
  (forall x', boundary x' -> r <= dist e x x') /\ (forall b, (forall x', boundary x' -> b <= dist e x x') -> b <= r).
(** m = min of y f over the ball *)
Definition margin (delta y : R) (x : vec) (m : R) :=
  (exists x', space d x' /\ dist e x x' <= delta /\ y * f x' = m) /\ (forall x', space d x' -> dist e x x' <= delta -> m <= y * f x').
Definition continuous := forall x eps, space d x -> 0 < eps ->
  exists r, 0 < r /\ forall x', space d x' -> dist e x x' < r -> Rabs (f x' - f x) < eps.
(** {y f <= 0} is the closure of {y f < 0}, as far as zeros of the ball are concerned *)
Definition zeros_are_limits (delta y : R) (x : vec) := forall z, space d z -> dist e x z <= delta -> f z = 0 ->
  forall r, 0 < r -> exists z', space d z' /\ dist e z z' <= r /\ y * f z' < 0.
End Terms.

(** * nearer than delta: negative *)
Theorem near_is_negative e d dom f delta y x x' : is_exponent e -> y = 1 \/ y = -1 -> space d x ->
  boundary e d dom f x' -> dist e x x' < delta -> exists z, space d z /\ dist e x z <= delta /\ y * f z < 0.
Proof.
  intros P Y X [X' [_ [_ B]]] D. destruct (B (delta - dist e x x') ltac:(lra)) as [a [b [A [A' [Da [Db S]]]]]].
  assert (T : forall z, space d z -> dist e x' z <= delta - dist e x x' -> dist e x z <= delta).
  { intros z Z H. pose proof (dist_triangle e d x x' z P X X' Z). lra. }
  destruct (Rlt_le_dec (y * f a) 0) as [|Ha]; [exists a; auto|]. exists b. repeat split; auto.
  destruct Y as [-> | ->]; nra.
Qed.

(** * the first zero of a segment *)
(** g > 0 at 0 and <= 0 at 1, continuous on [0, 1]: a zero before which g > 0 *)
Lemma first_zero (g : R -> R) : (forall t, 0 <= t <= 1 -> forall eps, 0 < eps ->
    exists r, 0 < r /\ forall s, 0 <= s <= 1 -> Rabs (s - t) < r -> Rabs (g s - g t) < eps) ->
  0 < g 0 -> g 1 <= 0 -> exists t, 0 < t <= 1 /\ g t = 0 /\ forall s, 0 <= s < t -> 0 < g s.
Proof.
  intros C G0 G1. set (E := fun t => 0 <= t <= 1 /\ forall s, 0 <= s <= t -> 0 < g s).
  assert (E0 : E 0) by (split; [lra|]; intros s S; replace s with 0 by lra; auto).
  destruct (completeness E) as [t [Ub Lub]]; [exists 1; intros s [S _]; lra | exists 0; auto |].
  assert (T0 : 0 <= t) by (apply Ub; auto). assert (T1 : t <= 1) by (apply Lub; intros s [S _]; lra).
  assert (Before : forall s, 0 <= s < t -> 0 < g s).
  { intros s S. destruct (Rlt_le_dec 0 (g s)) as [|N]; auto. exfalso.
    assert (t <= s); [|lra]. apply Lub. intros u [U V]. destruct (Rle_lt_dec u s) as [|L]; auto. specialize (V s ltac:(lra)). lra. }
  assert (Z : g t = 0).
  { destruct (Rtotal_order (g t) 0) as [N|[Z|N]]; auto; exfalso.
    - destruct (C t ltac:(lra) (- g t) ltac:(lra)) as [r [R H]].
      assert (0 < t) by (destruct (Req_dec t 0) as [->|]; lra).
      pose proof (Rmax_l 0 (t - r / 2)). pose proof (Rmax_r 0 (t - r / 2)). set (s := Rmax 0 (t - r / 2)) in *.
      assert (s < t) by (unfold s; apply Rmax_lub_lt; lra). specialize (H s ltac:(lra)).
      rewrite Rabs_left in H by lra. specialize (H ltac:(lra)). specialize (Before s ltac:(lra)).
      unfold Rabs in H; destruct Rcase_abs in H; lra.
    - destruct (C t ltac:(lra) (g t) N) as [r [R H]].
      assert (t < 1) by (destruct (Req_dec t 1) as [->|]; lra).
      pose proof (Rmin_l 1 (t + r / 2)). pose proof (Rmin_r 1 (t + r / 2)). set (u := Rmin 1 (t + r / 2)) in *.
      assert (t < u) by (unfold u; apply Rmin_glb_lt; lra). assert (Eu : E u); [|specialize (Ub u Eu); lra].
      split; [lra|]. intros s S. destruct (Rlt_le_dec s t) as [L|L]; [apply Before; lra|].
      specialize (H s ltac:(lra)). rewrite Rabs_pos_eq in H by lra. specialize (H ltac:(lra)).
      unfold Rabs in H; destruct Rcase_abs in H; lra. }
  exists t. repeat split; auto. destruct (Req_dec t 0) as [->|]; lra.
Qed.
Lemma continuous_segment e d f x x' y : is_exponent e -> y = 1 \/ y = -1 -> continuous e d f -> space d x -> space d x' ->
  forall t, 0 <= t <= 1 -> forall eps, 0 < eps -> exists r, 0 < r /\
    forall s, 0 <= s <= 1 -> Rabs (s - t) < r -> Rabs (y * f (between s x x') - y * f (between t x x')) < eps.
Proof.
  intros P Y C X X' t T eps Eps. destruct (C (between t x x') eps (between_space d t x x' X X') Eps) as [r [R H]].
  pose proof (dist_ge0 e x x'). exists (r / (dist e x x' + 1)). split; [apply Rdiv_lt_0_compat; lra|].
  intros s S D. specialize (H (between s x x') (between_space d s x x' X X')). rewrite dist_between in H by auto.
  replace (y * f (between s x x') - y * f (between t x x')) with (y * (f (between s x x') - f (between t x x'))) by ring.
  rewrite Rabs_mult. replace (Rabs y) with 1 by (destruct Y as [-> | ->]; rewrite ?Rabs_left, ?Rabs_pos_eq by lra; lra).
  rewrite Rmult_1_l. apply H. apply Rmult_lt_compat_r with (r := dist e x x' + 1) in D; [|lra].
  unfold Rdiv in D. rewrite Rmult_assoc, Rinv_l in D by lra. pose proof (Rabs_pos (s - t)). nra.
Qed.

(** * not positive: near *)
Section Converse.
Variables (e : exponent) (d : nat) (dom : vec -> Prop) (f : vec -> R) (delta y : R) (x : vec).
Hypotheses (P : is_exponent e) (Y : y = 1 \/ y = -1) (C : continuous e d f) (X : space d x).
Hypothesis inside : forall z, space d z -> dist e x z <= delta -> dom z.
Hypothesis limits : zeros_are_limits e d f delta y x.
Hypothesis right : 0 < y * f x.
(** A point of the boundary lies between x and any point of the ball with y f <= 0, before it if y f < 0 there. *)
Theorem negative_is_near z : space d z -> dist e x z <= delta -> y * f z <= 0 ->
  exists x', boundary e d dom f x' /\ dist e x x' <= delta /\ (y * f z < 0 -> dist e x x' < delta).
Proof.
  intros Z D N. assert (L : length x = length z) by (unfold space in *; congruence).
  destruct (first_zero (fun t => y * f (between t x z))) as [t [T [Zt B]]].
  - apply (continuous_segment e d); auto.
  - now rewrite between_0.
  - now rewrite between_1.
  - pose proof (dist_ge0 e x z) as D0. set (x' := between t x z) in *.
    assert (S' : space d x') by (now apply between_space).
    assert (Dx : dist e x x' = t * dist e x z) by (apply dist_start; auto; lra).
    assert (Le : dist e x x' <= delta) by (rewrite Dx; nra).
    assert (F0 : f x' = 0) by (destruct Y as [E|E]; rewrite E in Zt; lra).
    exists x'. repeat split; auto.
    + intros r R. destruct (limits x' S' Le F0 r R) as [b [Sb [Db Nb]]].
      assert (Q : exists s, 0 <= s < t /\ (t - s) * dist e x z <= r).
      { exists (Rmax 0 (t - r / (dist e x z + 1))). assert (0 < r / (dist e x z + 1)) by (apply Rdiv_lt_0_compat; lra).
        split; [split; [apply Rmax_l | apply Rmax_lub_lt; lra]|].
        pose proof (Rmax_r 0 (t - r / (dist e x z + 1))).
        assert ((t - Rmax 0 (t - r / (dist e x z + 1))) * dist e x z <= r / (dist e x z + 1) * dist e x z) by (apply Rmult_le_compat_r; lra).
        assert (r / (dist e x z + 1) * dist e x z <= r / (dist e x z + 1) * (dist e x z + 1)) by (apply Rmult_le_compat_l; lra).
        replace (r / (dist e x z + 1) * (dist e x z + 1)) with r in H2 by (field; lra). lra. }
      destruct Q as [s [S Ds]]. exists (between s x z), b. repeat split; auto; [now apply between_space | |].
      * unfold x'. rewrite dist_between, Rabs_left by (auto; lra). lra.
      * specialize (B s S). cbv beta in B. destruct Y as [E|E]; rewrite E in *; nra.
    + intros Nz. assert (t < 1). { destruct (Req_dec t 1) as [E|]; [|lra]. unfold x' in F0. rewrite E, between_1 in F0 by auto. rewrite F0 in Nz. lra. }
      assert (0 < dist e x z).
      { destruct D0 as [|D0]; auto. exfalso. destruct (C x (y * f x) X right) as [r [R H0]].
        specialize (H0 z Z ltac:(lra)). destruct Y as [E|E]; rewrite E in *; unfold Rabs in H0; destruct Rcase_abs in H0; lra. }
      rewrite Dx. nra.
Qed.
(** Proposition 3.1, both equalities at x. *)
Theorem margin_is_distance m r : margin e d f delta y x m -> boundary_distance e d dom f x r ->
  (0 <= m <-> delta <= r) /\ (m < 0 <-> r < delta).
Proof.
  intros [[z [Sz [Dz <-]]] M] [Rl Rg].
  assert (A : y * f z < 0 -> r < delta).
  { intros N. destruct (negative_is_near z Sz Dz ltac:(lra)) as [x' [B [_ D]]]. specialize (Rl x' B). specialize (D N). lra. }
  assert (B : r < delta -> y * f z < 0).
  { intros L. destruct (Rlt_le_dec (y * f z) 0) as [|N]; auto. exfalso. assert (delta <= r); [|lra]. apply Rg. intros x' Bx.
    destruct (Rle_lt_dec delta (dist e x x')) as [|D]; auto. exfalso.
    destruct (near_is_negative e d dom f delta y x x' P Y X Bx D) as [w [Sw [Dw Nw]]]. specialize (M w Sw Dw). lra. }
  split; split; try assumption; intros H.
  - destruct (Rle_lt_dec delta r) as [|L]; auto. specialize (B L). lra.
  - destruct (Rle_lt_dec 0 (y * f z)) as [|L]; auto. specialize (A L). lra.
Qed.
(** The same without least and greatest values: who is not nearer, has no negative value, *)
Theorem far_is_robust : (forall x', boundary e d dom f x' -> delta <= dist e x x') <->
  (forall z, space d z -> dist e x z <= delta -> 0 <= y * f z).
Proof.
  split.
  - intros B z Sz Dz. destruct (Rle_lt_dec 0 (y * f z)) as [|N]; auto. exfalso.
    destruct (negative_is_near z Sz Dz ltac:(lra)) as [x' [Bx [_ D]]]. specialize (B x' Bx). specialize (D N). lra.
  - intros M x' Bx. destruct (Rle_lt_dec delta (dist e x x')) as [|D]; auto. exfalso.
    destruct (near_is_negative e d dom f delta y x x' P Y X Bx D) as [z [Sz [Dz Nz]]]. specialize (M z Sz Dz). lra.
Qed.
(** and for ties, which count as errors: the closed ball holds one just where it meets the boundary. *)
Theorem touching_is_tie : (exists x', boundary e d dom f x' /\ dist e x x' <= delta) <->
  (exists z, space d z /\ dist e x z <= delta /\ y * f z <= 0).
Proof.
  split.
  - intros [x' [[Sx [_ [F0 _]]] D]]. exists x'. rewrite F0. repeat split; auto. lra.
  - intros [z [Sz [Dz N]]]. destruct (negative_is_near z Sz Dz N) as [x' [B [D _]]]. eauto.
Qed.
End Converse.

(** * ReLU networks are continuous *)
Fixpoint l1 (x x' : vec) : R := match x, x' with a :: y, b :: y' => Rabs (b - a) + l1 y y' | _, _ => 0 end.
Lemma l1_ge0 x : forall x', 0 <= l1 x x'.
Proof. induction x; intros [|b x']; simpl; try lra. specialize (IHx x'). pose proof (Rabs_pos (b - a)). lra. Qed.
(** a row changes by at most its l_1 norm times the change *)
Lemma dot_change w : forall x x', length x = length x' -> Rabs (dot w x' - dot w x) <= fold_right (fun a t => Rabs a + t) 0 w * l1 x x'.
Proof.
  assert (W : forall w, 0 <= fold_right (fun a t => Rabs a + t) 0 w) by (induction w0; simpl; [lra | pose proof (Rabs_pos a); lra]).
  induction w as [|a w IH]; intros [|v x] [|v' x'] L; simpl in *; try lia; rewrite ?Rminus_0_r, ?Rabs_R0; try lra.
  specialize (IH x x' ltac:(lia)). pose proof (W w). pose proof (l1_ge0 x x'). pose proof (Rabs_pos a). pose proof (Rabs_pos (v' - v)).
  replace (a * v' + dot w x' - (a * v + dot w x)) with (a * (v' - v) + (dot w x' - dot w x)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult.
  assert (0 <= Rabs a * l1 x x') by (apply Rmult_le_pos; auto).
  assert (0 <= fold_right (fun a t => Rabs a + t) 0 w * Rabs (v' - v)) by (apply Rmult_le_pos; auto). lra.
Qed.
Lemma affine_change l : exists k, 0 <= k /\ forall x x', length x = length x' -> l1 (affine l x) (affine l x') <= k * l1 x x'.
Proof.
  induction l as [|[w b] l [k [K H]]].
  - exists 0. split; [lra|]. intros. simpl. lra.
  - exists (fold_right (fun a t => Rabs a + t) 0 w + k). split.
    + assert (0 <= fold_right (fun a t => Rabs a + t) 0 w) by (clear; induction w; simpl; [lra | pose proof (Rabs_pos a); lra]). lra.
    + intros x x' L. specialize (H x x' L). pose proof (dot_change w x x' L). unfold affine in *. cbn [map fst snd l1].
      replace (dot w x' + b - (dot w x + b)) with (dot w x' - dot w x) by ring. lra.
Qed.
Lemma relu_change u v : Rabs (relu v - relu u) <= Rabs (v - u).
Proof. unfold Rabs. repeat destruct Rcase_abs; relus; lra. Qed.
Lemma step_change l : exists k, 0 <= k /\ forall x x', length x = length x' -> l1 (step x l) (step x' l) <= k * l1 x x'.
Proof.
  destruct (affine_change l) as [k [K H]]. exists k. split; auto. intros x x' L. eapply Rle_trans; [|apply H; auto].
  unfold step. generalize (affine l x') as u, (affine l x) as v. intros u v. revert u. induction v as [|a v IH]; intros [|b u]; simpl; try lra.
  pose proof (relu_change a b). specialize (IH u). lra.
Qed.
Lemma run_change ls : exists k, 0 <= k /\ forall x x', length x = length x' -> l1 (run ls x) (run ls x') <= k * l1 x x'.
Proof.
  induction ls as [|l ls [k [K H]]].
  - exists 1. split; [lra|]. intros. simpl. lra.
  - destruct (step_change l) as [j [J G]]. exists (k * j). split; [now apply Rmult_le_pos|]. intros x x' L.
    change (l1 (run ls (step x l)) (run ls (step x' l)) <= k * j * l1 x x').
    specialize (H (step x l) (step x' l) ltac:(now rewrite !step_length)). specialize (G x x' L).
    assert (k * l1 (step x l) (step x' l) <= k * (j * l1 x x')) by (now apply Rmult_le_compat_l). lra.
Qed.
Lemma run_space ls : forall x x', length x = length x' -> length (run ls x) = length (run ls x').
Proof.
  induction ls as [|l ls IH]; intros x x' L; auto. change (length (run ls (step x l)) = length (run ls (step x' l))).
  apply IH. now rewrite !step_length.
Qed.
Lemma l1_dist e d x x' : is_exponent e -> space d x -> space d x' -> l1 x x' <= INR d * dist e x x'.
Proof.
  intros P X X'. assert (B : forall j, Rabs (nth j x' 0 - nth j x 0) <= dist e x x').
  { intros j. rewrite <- nth_minus by (unfold space in *; congruence). now apply norm_coordinate. }
  revert B. generalize (dist e x x') as r. intros r. revert d x' X X'. induction x as [|a x IH]; intros d [|b x'] X X' B; unfold space in *; simpl in *; try lia.
  - subst d. simpl. lra.
  - subst d. rewrite S_INR. pose proof (B O) as B0. specialize (IH (length x) x' eq_refl ltac:(lia) (fun j => B (S j))). simpl in *. lra.
Qed.
(** the one output *)
Definition output (n : net) (x : vec) : R := nth 0 (eval n x) 0.
Theorem network_continuous e d n : is_exponent e -> continuous e d (output n).
Proof.
  intros P x eps X Eps. destruct (run_change (hidden n)) as [k [K H]]. destruct (affine_change (readout n)) as [j [J G]].
  pose proof (pos_INR d). assert (KJ : 0 <= j * (k * INR d)) by (apply Rmult_le_pos; auto; now apply Rmult_le_pos).
  exists (eps / (j * (k * INR d) + 1)). split; [apply Rdiv_lt_0_compat; lra|]. intros x' X' D.
  assert (L : length x = length x') by (unfold space in *; congruence).
  specialize (H x x' L). specialize (G (run (hidden n) x) (run (hidden n) x') (run_space _ x x' L)).
  pose proof (l1_dist e d x x' P X X').
  assert (O : Rabs (output n x' - output n x) <= l1 (eval n x) (eval n x')).
  { unfold output, eval. assert (length (affine (readout n) (run (hidden n) x)) = length (affine (readout n) (run (hidden n) x'))) by now rewrite !affine_length.
    destruct (affine (readout n) (run (hidden n) x)) as [|a u], (affine (readout n) (run (hidden n) x')) as [|b v]; simpl in *; try lia.
    - rewrite Rminus_0_r, Rabs_R0. lra.
    - pose proof (l1_ge0 u v). lra. }
  unfold eval in O. eapply Rle_lt_trans; [exact O|]. eapply Rle_lt_trans; [exact G|].
  apply Rmult_lt_compat_r with (r := j * (k * INR d) + 1) in D; [|lra]. unfold Rdiv in D. rewrite Rmult_assoc, Rinv_l in D by lra.
  pose proof (dist_ge0 e x x').
  assert (j * l1 (run (hidden n) x) (run (hidden n) x') <= j * (k * l1 x x')) by (now apply Rmult_le_compat_l).
  assert (j * (k * l1 x x') <= j * (k * (INR d * dist e x x'))) by (apply Rmult_le_compat_l; auto; now apply Rmult_le_compat_l). nra.
Qed.
(** Proposition 3.1 for ReLU networks. *)
Theorem margin_is_distance_network e d (dom : vec -> Prop) n delta y x m r : is_exponent e -> y = 1 \/ y = -1 -> space d x ->
  (forall z, space d z -> dist e x z <= delta -> dom z) -> zeros_are_limits e d (output n) delta y x -> 0 < y * output n x ->
  margin e d (output n) delta y x m -> boundary_distance e d dom (output n) x r ->
  (0 <= m <-> delta <= r) /\ (m < 0 <-> r < delta).
Proof. intros. eapply margin_is_distance; eauto. now apply network_continuous. Qed.

(** * why the hypotheses *)
Lemma dist_line e a b : is_exponent e -> dist e [a] [b] = Rabs (b - a).
Proof. intros P. unfold dist. simpl vminus. rewrite (norm_single e [b - a] 0); auto. intros [|[|i]] H; simpl; auto; lia. Qed.
Lemma space_line x : space 1 x -> exists a, x = [a].
Proof. destruct x as [|a [|]]; unfold space; simpl; intros; try lia. now exists a. Qed.
Definition cube (x : vec) := Forall (fun v => 0 <= v <= 1) x.
(** f = x - 1/2 at 7/8 with the wrong label -1: 3/8 from the boundary, and y f < 0 on the whole ball of radius 1/8. *)
Theorem misclassified_is_negative e : is_exponent e -> let f := output (Net [] [([1], -1 / 2)]) in
  boundary_distance e 1 cube f [7 / 8] (3 / 8) /\ margin e 1 f (1 / 8) (-1) [7 / 8] (-1 / 2) /\ zeros_are_limits e 1 f (1 / 8) (-1) [7 / 8].
Proof.
  intros P f. assert (F : forall a, f [a] = a - 1 / 2) by (intros; unfold f, output, eval; simpl; lra).
  assert (B : forall x, boundary e 1 cube f x <-> x = [1 / 2]).
  { split.
    - intros [S [_ [Z _]]]. destruct (space_line x S) as [a ->]. rewrite F in Z. f_equal. lra.
    - intros ->. repeat split; auto; [constructor; [lra | constructor] | rewrite F; lra |].
      intros r R. exists [1 / 2 + r], [1 / 2 - r]. rewrite !dist_line, !F by auto. repeat split.
      + rewrite Rabs_pos_eq; lra.
      + rewrite Rabs_left; lra.
      + nra. }
  repeat split.
  - intros x' Bx. apply B in Bx as ->. rewrite dist_line, Rabs_left by (auto; lra). lra.
  - intros b H. specialize (H [1 / 2] (proj2 (B _) eq_refl)). rewrite dist_line, Rabs_left in H by (auto; lra). lra.
  - exists [1]. rewrite dist_line, Rabs_pos_eq, F by (auto; lra). repeat split; lra.
  - intros x' S D. destruct (space_line x' S) as [a ->]. rewrite dist_line in D by auto. rewrite F.
    unfold Rabs in D; destruct Rcase_abs in D; lra.
  - intros z S D Z. exfalso. destruct (space_line z S) as [a ->]. rewrite dist_line in D by auto. rewrite F in Z.
    unfold Rabs in D; destruct Rcase_abs in D; lra.
Qed.
(** f = min(x - 1/4, 0) + relu(x - 3/8) - 2 relu(x - 5/8), label +1: negative below 1/4, 0 on [1/4, 3/8], positive up to 7/8, which is
    the boundary. 1/2 is 3/8 from it and classified rightly; on its ball of radius 5/16, inside the cube, y f reaches -1/16. *)
Theorem plateau_is_negative e : is_exponent e ->
  let f := output (Net [[([-1], 1 / 4); ([1], -3 / 8); ([1], -5 / 8)]] [([-1; 1; -2], 0)]) in
  boundary_distance e 1 cube f [1 / 2] (3 / 8) /\ margin e 1 f (5 / 16) 1 [1 / 2] (-1 / 16) /\ 0 < 1 * f [1 / 2] /\
  (forall z, space 1 z -> dist e [1 / 2] z <= 5 / 16 -> cube z).
Proof.
  intros P f. assert (F : forall a, f [a] = - relu (1 / 4 - a) + relu (a - 3 / 8) - 2 * relu (a - 5 / 8)).
  { intros. unfold f, output, eval, run. simpl. replace (-1 * a + 0 + 1 / 4) with (1 / 4 - a) by lra.
    replace (1 * a + 0 + -3 / 8) with (a - 3 / 8) by lra. replace (1 * a + 0 + -5 / 8) with (a - 5 / 8) by lra. lra. }
  assert (B : forall x, boundary e 1 cube f x <-> x = [7 / 8]).
  { split.
    - intros [S [_ [Z N]]]. destruct (space_line x S) as [a ->]. f_equal. rewrite F in Z.
      destruct (Rlt_le_dec (5 / 8) a) as [H|H]; [relus; lra|]. exfalso.
      assert (A : a <= 3 / 8) by (relus; lra). destruct (Rlt_le_dec a (5 / 16)) as [L|L].
      + (* near a value is <= 0 *)
        destruct (N (1 / 32) ltac:(lra)) as [x' [x'' [S' [S'' [D' [D'' M]]]]]].
        destruct (space_line x' S') as [b ->]. destruct (space_line x'' S'') as [c ->]. rewrite dist_line in D', D'' by auto.
        rewrite !F in M. assert (b <= 3 / 8) by (unfold Rabs in D'; destruct Rcase_abs in D'; lra).
        assert (c <= 3 / 8) by (unfold Rabs in D''; destruct Rcase_abs in D''; lra).
        rewrite (relu_neg (b - 3 / 8)), (relu_neg (b - 5 / 8)), (relu_neg (c - 3 / 8)), (relu_neg (c - 5 / 8)) in M by lra.
        pose proof (relu_ge0 (1 / 4 - b)). pose proof (relu_ge0 (1 / 4 - c)). nra.
      + destruct (N (1 / 32) ltac:(lra)) as [x' [x'' [S' [S'' [D' [D'' M]]]]]].
        destruct (space_line x' S') as [b ->]. destruct (space_line x'' S'') as [c ->]. rewrite dist_line in D', D'' by auto.
        rewrite !F in M. assert (1 / 4 <= b <= 5 / 8) by (unfold Rabs in D'; destruct Rcase_abs in D'; lra).
        assert (1 / 4 <= c <= 5 / 8) by (unfold Rabs in D''; destruct Rcase_abs in D''; lra).
        rewrite (relu_neg (1 / 4 - b)), (relu_neg (b - 5 / 8)), (relu_neg (1 / 4 - c)), (relu_neg (c - 5 / 8)) in M by lra.
        pose proof (relu_ge0 (b - 3 / 8)). pose proof (relu_ge0 (c - 3 / 8)). nra.
    - intros ->. repeat split; auto; [constructor; [lra | constructor] | rewrite F; relus; lra |].
      intros r R. set (s := Rmin r (1 / 8)). assert (0 < s) by (apply Rmin_glb_lt; lra). assert (s <= r) by apply Rmin_l. assert (s <= 1 / 8) by apply Rmin_r.
      exists [7 / 8 + s], [7 / 8 - s]. rewrite !dist_line, !F by auto. repeat split.
      + rewrite Rabs_pos_eq; lra.
      + rewrite Rabs_left; lra.
      + rewrite !(relu_neg (1 / 4 - _)), !relu_pos by lra. nra. }
  repeat split.
  - intros x' Bx. apply B in Bx as ->. rewrite dist_line, Rabs_pos_eq by (auto; lra). lra.
  - intros b H. specialize (H [7 / 8] (proj2 (B _) eq_refl)). rewrite dist_line, Rabs_pos_eq in H by (auto; lra). lra.
  - exists [3 / 16]. rewrite dist_line, Rabs_left, F by (auto; lra). repeat split; try lra.
    rewrite relu_pos, !relu_neg by lra. lra.
  - intros x' S D. destruct (space_line x' S) as [a ->]. rewrite dist_line in D by auto. rewrite F.
    assert (3 / 16 <= a <= 13 / 16) by (unfold Rabs in D; destruct Rcase_abs in D; lra). relus; lra.
  - rewrite F. rewrite (relu_neg (1 / 4 - 1 / 2)), (relu_pos (1 / 2 - 3 / 8)), (relu_neg (1 / 2 - 5 / 8)) by lra. lra.
  - intros z S D. destruct (space_line z S) as [a ->]. rewrite dist_line in D by auto.
    constructor; [|constructor]. unfold Rabs in D; destruct Rcase_abs in D; lra.
Qed.
(** f = x + 1/16 - 5/2 relu(x - 1/2), label +1: 0 at -1/16, outside of the cube, and at 7/8, its boundary there. 1/8 is 3/4 from it and
    classified rightly; on its ball of radius 1/4, which leaves the cube, y f reaches -1/16. *)
Theorem outside_is_negative e : is_exponent e ->
  let f := output (Net [[([1], 1); ([-1], -1); ([1], -1 / 2)]] [([1; -1; -5 / 2], -15 / 16)]) in
  boundary_distance e 1 cube f [1 / 8] (3 / 4) /\ margin e 1 f (1 / 4) 1 [1 / 8] (-1 / 16) /\ 0 < 1 * f [1 / 8] /\
  zeros_are_limits e 1 f (1 / 4) 1 [1 / 8].
Proof.
  intros P f. assert (F : forall a, f [a] = a + 1 / 16 - 5 / 2 * relu (a - 1 / 2)).
  { intros. unfold f, output, eval, run. simpl. replace (-1 * a + 0 + -1) with (- (1 * a + 0 + 1)) by lra.
    pose proof (relu_diff (1 * a + 0 + 1)). replace (1 * a + 0 + -1 / 2) with (a - 1 / 2) by lra. lra. }
  assert (B : forall x, boundary e 1 cube f x <-> x = [7 / 8]).
  { split.
    - intros [S [C [Z _]]]. destruct (space_line x S) as [a ->]. inversion C as [|? ? A _]. rewrite F in Z. f_equal. relus; lra.
    - intros ->. repeat split; auto; [constructor; [lra | constructor] | rewrite F; relus; lra |].
      intros r R. set (s := Rmin r (1 / 8)). assert (0 < s) by (apply Rmin_glb_lt; lra). assert (s <= r) by apply Rmin_l. assert (s <= 1 / 8) by apply Rmin_r.
      exists [7 / 8 + s], [7 / 8 - s]. rewrite !dist_line, !F by auto. repeat split.
      + rewrite Rabs_pos_eq; lra.
      + rewrite Rabs_left; lra.
      + rewrite !relu_pos by lra. nra. }
  repeat split.
  - intros x' Bx. apply B in Bx as ->. rewrite dist_line, Rabs_pos_eq by (auto; lra). lra.
  - intros b H. specialize (H [7 / 8] (proj2 (B _) eq_refl)). rewrite dist_line, Rabs_pos_eq in H by (auto; lra). lra.
  - exists [-1 / 8]. rewrite dist_line, Rabs_left, F by (auto; lra). repeat split; try lra. rewrite relu_neg by lra. lra.
  - intros x' S D. destruct (space_line x' S) as [a ->]. rewrite dist_line in D by auto. rewrite F.
    assert (-1 / 8 <= a <= 3 / 8) by (unfold Rabs in D; destruct Rcase_abs in D; lra). rewrite relu_neg; lra.
  - rewrite F, relu_neg by lra. lra.
  - intros z S D Z r R. destruct (space_line z S) as [a ->]. rewrite dist_line in D by auto. rewrite F in Z.
    assert (-1 / 8 <= a <= 3 / 8) by (unfold Rabs in D; destruct Rcase_abs in D; lra). rewrite relu_neg in Z by lra.
    exists [a - r]. rewrite dist_line, Rabs_left, F, relu_neg by (auto; lra). repeat split; lra.
Qed.
