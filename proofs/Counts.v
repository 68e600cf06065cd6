(** Sizes: nonzero weights and biases of squaring, parallel networks, the lean indicators, for all m, N, D. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Squaring Multiplication Indicators Memorize.
Import ListNotations.
Open Scope R_scope.

Definition nz (r : R) : nat := if Req_EM_T r 0 then 0 else 1.
Definition count (v : vec) : nat := list_sum (map nz v).
Definition params_layer (l : layer) : nat := list_sum (map (fun rb => count (fst rb) + nz (snd rb))%nat l).
Definition params_of (ls : list layer) : nat := list_sum (map params_layer ls).
Definition params (f : net) : nat := (params_of (hidden f) + params_layer (readout f))%nat.

Lemma nz_0 : nz 0 = 0%nat.
Proof. unfold nz. destruct Req_EM_T; lra || auto. Qed.
Lemma nz_1 r : r <> 0 -> nz r = 1%nat.
Proof. unfold nz. destruct Req_EM_T; tauto. Qed.
Lemma count_app a b : count (a ++ b) = (count a + count b)%nat.
Proof. unfold count. now rewrite map_app, list_sum_app. Qed.
Lemma count_zeros n : count (repeat 0 n) = 0%nat.
Proof. induction n; simpl; auto. unfold count in *; simpl. now rewrite nz_0, IHn. Qed.
Lemma params_layer_app a b : params_layer (a ++ b) = (params_layer a + params_layer b)%nat.
Proof. unfold params_layer. now rewrite map_app, list_sum_app. Qed.
Lemma params_of_app a b : params_of (a ++ b) = (params_of a + params_of b)%nat.
Proof. unfold params_of. now rewrite map_app, list_sum_app. Qed.

(** * parallel networks *)
Lemma params_diag n a b : params_layer (diag n a b) = (params_layer a + params_layer b)%nat.
Proof.
  unfold diag. rewrite params_layer_app. f_equal. unfold params_layer. rewrite map_map. f_equal.
  apply map_ext. intros [r c]; simpl. now rewrite count_app, count_zeros.
Qed.
Lemma params_diags fs : forall gs n fo go, length fs = length gs -> let (h, o) := diags n fs gs fo go in
  (params_of h + params_layer o = params_of fs + params_layer fo + (params_of gs + params_layer go))%nat.
Proof.
  induction fs as [|a fs IH]; intros [|b gs] n fo go L; simpl in *; try lia.
  - rewrite params_diag. reflexivity.
  - specialize (IH gs (length a) fo go ltac:(lia)). destruct (diags (length a) fs gs fo go).
    unfold params_of in *. cbn [map list_sum fold_right] in *. fold list_sum in *. rewrite params_diag. unfold list_sum in *. lia.
Qed.
Theorem params_parallel f g : depth f = depth g -> params (parallel f g) = (params f + params g)%nat.
Proof.
  destruct f as [[|a fs] fo], g as [[|b gs] go]; unfold depth, parallel, params; simpl; intros L; try lia.
  - rewrite params_layer_app. reflexivity.
  - pose proof (params_diags fs gs (length a) fo go ltac:(lia)) as E. destruct (diags (length a) fs gs fo go).
    cbn [hidden readout]. unfold params_of in *. cbn [map list_sum fold_right] in *. unfold list_sum in *. rewrite params_layer_app. lia.
Qed.

(** * squaring: 7 m - 2 *)
Ltac counted := unfold params_layer, count; cbn [map fst snd list_sum fold_right]; rewrite ?nz_0, ?nz_1; auto; try lra.
Lemma inv4 k : / 4 ^ k <> 0.
Proof. apply Rinv_neq_0_compat, pow_nonzero. lra. Qed.
Lemma params_teeth k : params_of (teeth (S (S k))) = (7 * k + 9)%nat.
Proof.
  induction k.
  - unfold params_of, teeth. cbn [seq map tooth_layer list_sum fold_right]. counted.
  - rewrite teeth_S, params_of_app, IHk. unfold params_of at 1. cbn [map tooth_layer list_sum fold_right].
    pose proof (inv4 (S k)). counted. lia.
Qed.
Theorem params_squaring m : (1 <= m)%nat -> params (squaring m) = (7 * m - 2)%nat.
Proof.
  intros M. destruct m as [|[|k]]; [lia | |]; unfold params, squaring; cbn [hidden readout].
  - unfold params_of, teeth. cbn [seq map tooth_layer list_sum fold_right]. counted.
  - rewrite params_teeth. pose proof (inv4 (S (S k))). counted; lia || lra.
Qed.

(** * the lean indicators of N balls: N (6 D + 2), if no coordinate is -inner or inner *)
Section Lean.
Variables (inner outer : R) (D : nat).
Hypothesis (Hio : inner < outer).
Definition generic (c : vec) := Forall (fun a => a + inner <> 0 /\ a - inner <> 0) c.
Lemma count_idrow n i : count (idrow n i) = 1%nat.
Proof. unfold idrow. rewrite count_app, count_zeros. unfold count; simpl. fold (count (repeat 0 (n - S i))). rewrite nz_1 by lra.
  change (list_sum (map nz (repeat 0 (n - S i)))) with (count (repeat 0 (n - S i))). now rewrite count_zeros. Qed.
Lemma count_opp v : count (map Ropp v) = count v.
Proof. unfold count. rewrite map_map. f_equal. apply map_ext. intros a. unfold nz. destruct (Req_EM_T a 0), (Req_EM_T (- a) 0); lra || auto. Qed.
Lemma count_repeat s n : s <> 0 -> count (repeat s n) = n.
Proof. intros H. unfold count. induction n; simpl; auto. rewrite nz_1 by auto. now rewrite IHn. Qed.
Lemma params_sides c : forall j, generic c -> params_layer (sides inner D j c) = (4 * length c)%nat.
Proof.
  induction c as [|a c IH]; intros j H; [reflexivity|]. inversion H as [|? ? [A B] H']; subst. cbn [sides].
  change (params_layer (?x :: ?y :: ?l)) with (params_layer ([x; y] ++ l)).
  rewrite (params_layer_app [_; _]), IH by auto. unfold params_layer. cbn [map fst snd list_sum fold_right].
  rewrite count_opp, count_idrow, !nz_1 by lra. simpl length. lia.
Qed.
Lemma params_lean_indicator c : length c = D -> generic c -> params (lean_indicator inner outer D c) = (6 * D + 2)%nat.
Proof.
  intros L H. unfold params, lean_indicator, params_of. cbn [hidden readout map list_sum fold_right].
  rewrite params_sides by auto. unfold params_layer. cbn [map fst snd list_sum fold_right].
  rewrite count_repeat. 2: { unfold Rdiv. apply Rmult_integral_contrapositive. split; [lra | apply Rinv_neq_0_compat; lra]. }
  unfold count. cbn [map list_sum fold_right]. rewrite nz_0, !nz_1 by lra. lia.
Qed.
Theorem params_indicators S : (forall c y, In (c, y) S -> length c = D /\ generic c) ->
  params (indicators inner outer D S) = (length S * (6 * D + 2))%nat.
Proof.
  induction S as [|[c y] S IH]; intros H; [reflexivity|]. simpl.
  rewrite params_parallel by (now rewrite depth_indicators).
  destruct (H c y (or_introl eq_refl)). rewrite params_lean_indicator by auto. rewrite IH; auto.
  intros; eapply H; right; eauto.
Qed.
End Lean.
