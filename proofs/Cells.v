(** Main theorem [cells_bound]: a ReLU network with n hidden units has at most 2^n activation patterns; [cell_affine]: on the points of one
    pattern it is affine; [cell_convex]: they form a convex set. So [pieces_bound]: among more than 2^n points two lie in one convex set on which
    the network is affine (Proposition A.9 of CGRM, D.5 of CGRO). *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Multiplication.
Import ListNotations.
Open Scope R_scope.

(** Hidden units, and which of them are active. *)
Definition units (f : net) : nat := list_sum (map (@length (vec * R)) (hidden f)).
Definition active (v : R) : bool := if Rlt_dec 0 v then true else false.
Fixpoint pattern_of (ls : list layer) (x : vec) : list bool :=
  match ls with [] => [] | l :: ls' => map active (affine l x) ++ pattern_of ls' (step x l) end.
Definition pattern (f : net) (x : vec) : list bool := pattern_of (hidden f) x.
(** A pattern has an entry for each unit. *)
Lemma pattern_length f x : length (pattern f x) = units f.
Proof.
  unfold pattern, units. revert x. induction (hidden f) as [|l ls IH]; intros x; [reflexivity|]. cbn [pattern_of map].
  rewrite app_length, map_length, affine_length, IH. reflexivity.
Qed.

(** * counting *)
(** All patterns of n units. *)
Fixpoint patterns (n : nat) : list (list bool) := match n with O => [[]] | S n' => map (cons true) (patterns n') ++ map (cons false) (patterns n') end.
(** There are 2^n of them. *)
Lemma patterns_length n : length (patterns n) = (2 ^ n)%nat.
Proof. induction n; auto. cbn [patterns]. rewrite app_length, !map_length, IHn. simpl. lia. Qed.
(** And no others. *)
Lemma patterns_all n : forall p, length p = n -> In p (patterns n).
Proof.
  induction n; intros [|b p] L; simpl in L; try lia; [left; auto|]. cbn [patterns]. apply in_app_iff.
  destruct b; [left | right]; apply in_map, IHn; lia.
Qed.
(** So at most 2^n occur. *)
Theorem cells_bound f ps : NoDup ps -> (forall p, In p ps -> exists x, pattern f x = p) -> (length ps <= 2 ^ units f)%nat.
Proof.
  intros N H. rewrite <- patterns_length. apply NoDup_incl_length; auto. intros p I. destruct (H p I) as [x <-]. apply patterns_all, pattern_length.
Qed.

(** * on one cell the network is affine *)
(** Units that are off become 0. *)
Definition masked (l : layer) (p : list bool) : layer := map (fun rbp : (vec * R) * bool => if snd rbp then fst rbp else ([], 0)) (combine l p).
(** On its pattern a layer is affine. *)
Lemma step_masked l : forall x, step x l = affine (masked l (map active (affine l x))) x.
Proof.
  unfold step, masked. induction l as [|[r b] l IH]; intros x; [reflexivity|]. cbn [affine map combine fst snd]. unfold affine in *. cbn [map fst snd]. rewrite IH.
  f_equal. unfold active. destruct (Rlt_dec 0 (dot r x + b)); cbn [fst snd dot]; [rewrite relu_pos | rewrite relu_neg]; lra.
Qed.
(** The affine map of a pattern. *)
Fixpoint folded (ls : list layer) (o : layer) (p : list bool) (n : nat) : layer :=
  match ls with [] => merge o (ident n) | l :: ls' => merge (folded ls' o (skipn (length l) p) (length l)) (masked l (firstn (length l) p)) end.
(** So is the network. *)
Theorem cell_affine f p n : exists l, forall x, length x = n -> pattern f x = p -> eval f x = affine l x.
Proof.
  exists (folded (hidden f) (readout f) p n). unfold pattern, eval. intros x. revert n p. revert x.
  induction (hidden f) as [|l ls IH]; intros x n p L E; cbn [folded pattern_of] in *.
  - unfold run. cbn [fold_left]. rewrite affine_merge, affine_ident; auto.
  - rewrite affine_merge. subst p. rewrite firstn_app, map_length, affine_length, Nat.sub_diag, firstn_all2 by (rewrite map_length, affine_length; lia).
    cbn [firstn]. rewrite app_nil_r, <- step_masked. change (run (l :: ls) x) with (run ls (step x l)).
    apply IH; [apply step_length|]. rewrite skipn_app, map_length, affine_length, Nat.sub_diag, skipn_all2 by (rewrite map_length, affine_length; lia). reflexivity.
Qed.

(** * cells are convex *)
Definition between (t : R) (x y : vec) : vec := vadd (vscale (1 - t) x) (vscale t y).
(** Sums of points. *)
Lemma dot_vadd_r r : forall x y, length x = length y -> dot r (vadd x y) = dot r x + dot r y.
Proof. induction r as [|a r IH]; intros [|v x] [|w y] L; simpl in *; try lia; try lra. rewrite IH by lia. lra. Qed.
(** Points between have as many coordinates. *)
Lemma between_length t x y : length x = length y -> length (between t x y) = length x.
Proof. intros L. unfold between. rewrite vadd_length. unfold vscale. rewrite !map_length. lia. Qed.
(** Affine maps keep what is between. *)
Lemma affine_between l t x y : length x = length y -> affine l (between t x y) = between t (affine l x) (affine l y).
Proof.
  intros L. induction l as [|[r b] l IH]; [reflexivity|]. unfold affine in *. cbn [map fst snd]. rewrite IH. unfold between in *. cbn [vscale map vadd].
  f_equal. rewrite dot_vadd_r, !dot_scale_r by (unfold vscale; now rewrite !map_length). lra.
Qed.
(** Numbers with the same activity keep it between them. *)
Lemma active_between t : 0 <= t <= 1 -> forall v w, map active v = map active w ->
  map active (between t v w) = map active v /\ map relu (between t v w) = between t (map relu v) (map relu w).
Proof.
  intros T. induction v as [|a v IH]; intros [|b w] E; simpl in E; try discriminate; [split; reflexivity|].
  injection E as E1 E2. destruct (IH w E2) as [A R]. unfold between in *. cbn [vscale map vadd] in *. unfold vscale in *. rewrite A, R.
  unfold active in *. destruct (Rlt_dec 0 a), (Rlt_dec 0 b); try discriminate.
  - assert (P : 0 < (1 - t) * a + t * b) by (destruct (Rle_dec t (1 / 2)); nra). split; f_equal.
    + destruct (Rlt_dec 0 ((1 - t) * a + t * b)); tauto.
    + rewrite !relu_pos; lra.
  - assert (P : (1 - t) * a + t * b <= 0) by nra. split; f_equal.
    + destruct (Rlt_dec 0 ((1 - t) * a + t * b)); auto; lra.
    + rewrite !relu_neg; lra.
Qed.
(** A point between two of one pattern has it. *)
Theorem cell_convex f t x y : 0 <= t <= 1 -> length x = length y -> pattern f x = pattern f y -> pattern f (between t x y) = pattern f x.
Proof.
  intros T. unfold pattern. revert x y. induction (hidden f) as [|l ls IH]; intros x y L E; [reflexivity|]. cbn [pattern_of] in *.
  assert (P : map active (affine l x) = map active (affine l y) /\ pattern_of ls (step x l) = pattern_of ls (step y l)).
  { assert (Q : length (map active (affine l x)) = length (map active (affine l y))) by now rewrite !map_length, !affine_length.
    revert E Q. generalize (map active (affine l x)), (map active (affine l y)). induction l0; intros [|c q] E Q; simpl in *; try lia; auto.
    injection E as -> E. destruct (IHl0 q E ltac:(lia)) as [-> F]. auto. }
  destruct P as [P1 P2]. rewrite affine_between by auto. destruct (active_between t T _ _ P1) as [A R]. rewrite A. f_equal.
  unfold step. rewrite affine_between, R by auto. apply (IH (step x l) (step y l)); auto. now rewrite !step_length.
Qed.
(** Among more than 2^n points two lie in one convex set on which the network is affine. *)
Definition in_one_piece (f : net) (n : nat) (x y : vec) := exists (C : vec -> Prop) l, C x /\ C y /\ (forall u, C u -> length u = n) /\
  (forall u v t, C u -> C v -> 0 <= t <= 1 -> C (between t u v)) /\ (forall u, C u -> eval f u = affine l u).
(** The bound, for pieces in place of patterns. *)
Theorem pieces_bound f n (xs : list vec) : (forall x, In x xs -> length x = n) -> ForallOrdPairs (fun x y => ~ in_one_piece f n x y) xs -> (length xs <= 2 ^ units f)%nat.
Proof.
  intros H P. rewrite <- (map_length (pattern f) xs). apply cells_bound.
  - induction xs as [|x xs IH]; [constructor|]. inversion P as [|? ? F P']; subst. cbn [map]. constructor; [|apply IH; auto; intros; apply H; right; auto].
    intros I. apply in_map_iff in I as [y [E Iy]]. rewrite Forall_forall in F. apply (F y Iy).
    destruct (cell_affine f (pattern f x) n) as [l Hl]. exists (fun u => length u = n /\ pattern f u = pattern f x), l.
    repeat split; auto; [apply H; left; auto | apply H; right; auto | tauto | | |].
    + destruct H0, H1. rewrite between_length; congruence.
    + destruct H0 as [Lu Eu], H1 as [Lv Ev]. rewrite (cell_convex f t u v); congruence.
    + intros u [Lu Eu]. now apply Hl.
  - intros p I. apply in_map_iff in I as [x [E _]]. eauto.
Qed.
