(** Main theorems [memorize2_covered] and [memorize2_outside]: f_S for two labels as a network over any network of indicators [inds];
    it is the label where an indicator of that label alone is 1, and f_clean where all are 0. [memorizeK_covered] and [memorizeK_out]
    are the same for K classes; [memorize2_keeps] and [memorizeK_keeps] say that between the balls f_clean's own right answers stay. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Multiplication Indicators Memorize MemorizeClasses MemorizeMargin.
Import ListNotations.
Open Scope R_scope.

Section Any.
Variables (ind : vec -> vec -> R) (B : R) (D : nat) (inds : net) (S : data).
Hypothesis ind_ge0 : forall c x, 0 <= ind c x.

Definition caps2 : net := compose (carry 2 1) (compose (cap S) inds).
Definition memorize2 (clean : net) : net :=
  let a := (depth caps2 - depth clean)%nat in let b := (depth clean - depth caps2)%nat in
  compose (switch B) (parallel (delay a (carry1 a) clean) (delay b (carry 2 b) caps2)).

(** The capped sums of both labels. *)
Lemma eval_caps2 x : eval inds x = map (fun cy => ind (fst cy) x) S -> eval caps2 x = [capped ind S 0 x; capped ind S 1 x].
Proof.
  intros E. unfold caps2. rewrite !eval_compose, E.
  replace (eval (cap S) (map (fun cy => ind (fst cy) x) S)) with [capped ind S 0 x; capped ind S 1 x].
  - apply eval_carry; auto. constructor; [|constructor; [|constructor]]; now apply capped_range.
  - unfold eval, cap, run. cbn [hidden readout fold_left]. unfold step, affine. cbn [map fst snd]. rewrite !(dot_members' ind).
    unfold capped. replace (- total ind S 0 x + 1) with (1 - total ind S 0 x) by lra.
    replace (- total ind S 1 x + 1) with (1 - total ind S 1 x) by lra. simpl. f_equal; [lra | f_equal; lra].
Qed.
(** The network's value. *)
Theorem eval_memorize2 clean x v : wf D clean -> length (readout clean) = 1%nat -> length x = D ->
  eval inds x = map (fun cy => ind (fst cy) x) S -> eval clean x = [v] ->
  eval (memorize2 clean) x = [f_S2 ind B (fun _ => v) S x].
Proof.
  intros W O L I E. pose proof (eval_caps2 x I) as C. unfold memorize2. rewrite eval_compose, (eval_parallel _ _ D); auto.
  - set (a := (depth caps2 - depth clean)%nat). set (b := (depth clean - depth caps2)%nat).
    replace (eval (delay a (carry1 a) clean) x) with [v].
    2: { unfold delay. destruct a eqn:K; auto. now rewrite eval_compose, E, eval_carry1. }
    replace (eval (delay b (carry 2 b) caps2) x) with [capped ind S 0 x; capped ind S 1 x].
    2: { unfold delay. destruct b eqn:K; auto.
         rewrite eval_compose, C, eval_carry; auto. constructor; [|constructor; [|constructor]]; now apply capped_range. }
    simpl app. rewrite eval_switch by now apply capped_range. reflexivity.
  - apply wf_delay; auto.
  - rewrite !depth_delay by (apply depth_carry1 || apply depth_carry). lia.
Qed.

Section At.
Variables (clean : net) (x : vec).
Hypotheses (W : wf D clean) (L : length x = D) (I : eval inds x = map (fun cy => ind (fst cy) x) S).

(** On a ball: the label. *)
Theorem memorize2_covered c y v : length (readout clean) = 1%nat -> eval clean x = [v] -> Rabs v <= B -> (y < 2)%nat ->
  covered ind S x c y -> eval (memorize2 clean) x = [sign_of y].
Proof.
  intros O E Hb Y C. rewrite (eval_memorize2 clean x v); auto. f_equal. apply (f_S2_on_ball ind B ind_ge0 S (fun _ => v) c y x); auto.
Qed.
(** Outside all outer balls: f_clean. *)
Theorem memorize2_outside : length (readout clean) = 1%nat -> (forall c y, In (c, y) S -> ind c x = 0) -> eval (memorize2 clean) x = eval clean x.
Proof.
  intros O Out. assert (E : exists v, eval clean x = [v]).
  { assert (length (eval clean x) = 1%nat) by (unfold eval; now rewrite affine_length).
    destruct (eval clean x) as [|v [|]]; simpl in *; try lia. now exists v. }
  destruct E as [v E]. rewrite (eval_memorize2 clean x v), E; auto. f_equal. now apply (f_S2_outside ind B S).
Qed.
(** Where no indicator of another label acts, f_clean's right sign stays. *)
Theorem memorize2_keeps y v : length (readout clean) = 1%nat -> eval clean x = [v] -> 0 <= B -> (y < 2)%nat ->
  (forall c' y', In (c', y') S -> y' <> y -> ind c' x = 0) -> 0 < sign_of y * v ->
  exists f, eval (memorize2 clean) x = [f] /\ 0 < sign_of y * f.
Proof.
  intros O E Hb Y H V. rewrite (eval_memorize2 clean x v); auto. eexists; split; [reflexivity|].
  now apply (f_S2_keeps ind B ind_ge0 S (fun _ => v) x y).
Qed.

Variables (K : nat).
Hypothesis OK : length (readout clean) = K.
(** K classes, on a ball: the one-hot row of the label. *)
Theorem memorizeK_covered c y : (y < K)%nat -> (forall k, Rabs (nth k (eval clean x) 0) <= B) -> covered ind S x c y ->
  eval (memorizeK B K inds S clean) x = map (fun k => if Nat.eqb k y then 1 else 0) (seq 0 K).
Proof.
  intros Y Hb C. rewrite (eval_memorizeK ind B K D); auto. apply map_ext. intros k. now apply (f_S_on_ball ind B ind_ge0 S K _ c y).
Qed.
(** K classes, outside: f_clean. *)
Theorem memorizeK_out : (forall c y, In (c, y) S -> ind c x = 0) -> eval (memorizeK B K inds S clean) x = eval clean x.
Proof.
  intros Out. rewrite (eval_memorizeK ind B K D); auto. transitivity (map (fun k => nth k (eval clean x) 0) (seq 0 K)).
  - apply map_ext. intros k. now apply (f_S_outside ind B S).
  - assert (Lc : length (eval clean x) = K) by (unfold eval; now rewrite affine_length). rewrite <- Lc. apply map_nth_seq.
Qed.
(** The gate keeps order, strictly so when it is open. *)
Lemma gate_mono u v s : u <= v -> gate B u s <= gate B v s.
Proof. intros H. unfold gate. relus; lra. Qed.
(** K classes: where no indicator of another class acts, f_clean's right decision (its strictly largest output) stays. *)
Theorem memorizeK_keeps y : (y < K)%nat -> (forall c' y', In (c', y') S -> y' <> y -> ind c' x = 0) ->
  (forall k, (k < K)%nat -> k <> y -> nth k (eval clean x) 0 < nth y (eval clean x) 0) ->
  forall k, (k < K)%nat -> k <> y ->
  nth k (eval (memorizeK B K inds S clean) x) 0 < nth y (eval (memorizeK B K inds S clean) x) 0.
Proof.
  intros Y H V k Hk N. rewrite (eval_memorizeK ind B K D); auto.
  set (f := fun k => f_S ind B K (fun x k => nth k (eval clean x) 0) S x k).
  assert (F : forall i, (i < K)%nat -> nth i (map f (seq 0 K)) 0 = f i).
  { intros i Hi. rewrite (nth_indep _ 0 (f 0%nat)) by (rewrite map_length, seq_length; lia). now rewrite map_nth, seq_nth by lia. }
  rewrite !F by auto. unfold f, f_S.
  assert (Z : forall j, j <> y -> capped ind S j x = 0). { intros j Nj. apply capped_0, total_far. intros c' y' I' ->. eauto. }
  rewrite (Z k) by auto. pose proof (capped_range ind ind_ge0 S y x) as C. set (s := capped ind S y x) in *.
  assert (E : sum K (fun c => capped ind S c x) = s).
  { clear -Y Z. revert Y. induction K as [|n IH]; intros Y; [lia|]. cbn [sum]. destruct (Nat.eq_dec y n) as [->|Q].
    - rewrite (sum_0 n) by (intros c Hc; apply Z; lia). unfold s. lra.
    - rewrite IH by lia. rewrite (Z n) by auto. lra. }
  rewrite E. destruct (Req_EM_T s 0) as [S0|S0].
  - rewrite S0. replace (1 - 0) with 1 by lra. rewrite !gate_1. specialize (V k Hk N). lra.
  - pose proof (gate_mono (nth k (eval clean x) 0) (nth y (eval clean x) 0) (1 - s) (Rlt_le _ _ (V k Hk N))). lra.
Qed.
End At.
End Any.

(** The network of [Memorize] is this one with the lean indicators. *)
Theorem memorize_any inner outer B D clean S : memorize inner outer B D clean S = memorize2 B (indicators inner outer D S) S clean.
Proof. unfold memorize, memorize2. change (caps2 (indicators inner outer D S) S) with (caps inner outer D S). now rewrite depth_caps. Qed.
