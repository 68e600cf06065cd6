(** f_S for K classes as a network, from any network of indicators and any f_clean. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Multiplication Indicators Memorize.
Import ListNotations.
Open Scope R_scope.

Definition twice (p q : nat -> R) (l : list nat) : vec := flat_map (fun j => [p j; q j]) l.
Definition pick (n i : nat) (w : vec) : vec := repeat 0 (2 * i) ++ 1 :: -1 :: repeat 0 (2 * (n - S i)) ++ w.
Lemma twice_length p q l : length (twice p q l) = (2 * length l)%nat.
Proof. induction l; simpl in *; lia. Qed.
Lemma dot_pick p q w y n : forall a i, (i < n)%nat -> dot (pick n i w) (twice p q (seq a n) ++ y) = p (a + i)%nat - q (a + i)%nat + dot w y.
Proof.
  unfold pick. induction n; intros a i H; [lia|]. destruct i as [|i].
  - replace (2 * 0)%nat with 0%nat by lia. replace (S n - 1)%nat with n by lia. cbn [seq twice flat_map repeat app dot].
    fold (twice p q (seq (S a) n)). rewrite dot_skip by (rewrite twice_length, seq_length; auto). rewrite Nat.add_0_r. lra.
  - replace (2 * S i)%nat with (S (S (2 * i))) by lia. replace (S n - S (S i))%nat with (n - S i)%nat by lia.
    cbn [seq twice flat_map repeat app dot]. fold (twice p q (seq (S a) n)). rewrite IHn by lia.
    replace (S a + i)%nat with (a + S i)%nat by lia. lra.
Qed.
Definition rows2 (f h : nat -> vec) (n : nat) : layer := flat_map (fun i => [(f i, 0); (h i, 0)]) (seq 0 n).
Lemma step_rows2 f h n x : step x (rows2 f h n) = twice (fun i => relu (dot (f i) x + 0)) (fun i => relu (dot (h i) x + 0)) (seq 0 n).
Proof. unfold step, affine, rows2, twice. induction (seq 0 n); simpl; auto. now rewrite IHl. Qed.
Lemma rows2_length f h n : length (rows2 f h n) = (2 * n)%nat.
Proof. unfold rows2. rewrite <- (seq_length n 0) at 2. induction (seq 0 n); simpl in *; lia. Qed.

(** * carrying n signed numbers *)
Definition joinK (n : nat) : layer := map (fun i => (pick n i [], 0)) (seq 0 n).
Definition splitK (n : nat) : layer := rows2 (idrow n) (fun i => map Ropp (idrow n i)) n.
Definition carryK (n k : nat) : net :=
  match k with O => Net [] (ident n) | S k' => Net (splitK n :: repeat (ident (2 * n)) k') (joinK n) end.
Lemma eval_carryK n k v : length v = n -> eval (carryK n k) v = v.
Proof.
  intros L. destruct k as [|k]; [unfold eval; simpl; now apply affine_ident|].
  unfold eval, carryK. cbn [hidden readout]. unfold run; cbn [fold_left]. fold (run (repeat (ident (2 * n)) k) (step v (splitK n))).
  unfold splitK. rewrite step_rows2. set (t := twice _ _ _).
  assert (T : run (repeat (ident (2 * n)) k) t = t).
  { assert (Lt : length t = (2 * n)%nat) by (unfold t; now rewrite twice_length, seq_length).
    assert (P : Forall (Rle 0) t).
    { unfold t, twice. apply Forall_forall. intros a I. apply in_flat_map in I as [j [_ [<-|[<-|[]]]]]; apply relu_ge0. }
    clearbody t. induction k; [reflexivity|]. change (run (repeat (ident (2 * n)) k) (step t (ident (2 * n))) = t).
    unfold step. rewrite affine_ident, relu_all by auto. exact IHk. }
  rewrite T. unfold affine, joinK. rewrite map_map. transitivity (map (fun i => nth i v 0) (seq 0 n)); [|rewrite <- L; apply map_nth_seq].
  apply map_ext_in. intros i I. apply in_seq in I. cbn [fst snd]. unfold t.
  rewrite <- (app_nil_r (twice _ _ _)), dot_pick by lia. cbn [dot Nat.add]. rewrite dot_opp, dot_idrow by (auto; lia).
  rewrite !Rplus_0_r. pose proof (relu_diff (nth i v 0)). lra.
Qed.

Section K.
Variables (ind : vec -> vec -> R) (B : R) (K D : nat) (inds : net) (S : data).
Hypothesis ind_ge0 : forall c x, 0 <= ind c x.

Definition capK : net :=
  Net [map (fun k => (members S k, 1)) (seq 0 K)] (map (fun k => (map Ropp (idrow K k), 1)) (seq 0 K)).
Definition capsK : net := compose (carry K 1) (compose capK inds).
Definition switchK : net :=
  Net [rows2 (fun i => idrow K i ++ repeat (- B) K) (fun i => map Ropp (idrow K i) ++ repeat (- B) K) K
       ++ map (fun i => (repeat 0 K ++ idrow K i, 0)) (seq 0 K)]
      (map (fun i => (pick K i (idrow K i), 0)) (seq 0 K)).
Definition memorizeK (clean : net) : net :=
  let a := (depth capsK - depth clean)%nat in let b := (depth clean - depth capsK)%nat in
  compose switchK (parallel (delay a (carryK K a) clean) (delay b (carry K b) capsK)).

Lemma dot_members' k x : dot (members S k) (map (fun cy => ind (fst cy) x) S) = - total ind S k x.
Proof.
  clear ind_ge0. induction S as [|[c y] T IH]; [simpl; lra|]. cbn [members map dot total fold_right fst snd] in *.
  fold (members T k). rewrite IH. unfold total. destruct Nat.eqb; lra.
Qed.
Lemma eval_capK x : eval capK (map (fun cy => ind (fst cy) x) S) = map (fun k => capped ind S k x) (seq 0 K).
Proof.
  unfold eval, capK, run. cbn [hidden readout fold_left]. unfold step, affine. rewrite !map_map. cbn [fst snd].
  apply map_ext_in. intros k I. apply in_seq in I. rewrite dot_opp, dot_idrow by (rewrite ?map_length, ?seq_length; lia).
  rewrite (nth_indep _ 0 (relu (dot (members S 0) (map (fun cy => ind (fst cy) x) S) + 1))) by (rewrite map_length, seq_length; lia).
  rewrite (map_nth (fun k => relu (dot (members S k) (map (fun cy => ind (fst cy) x) S) + 1))), seq_nth, dot_members' by lia.
  cbn [Nat.add]. unfold capped. replace (- total ind S k x + 1) with (1 - total ind S k x) by lra. lra.
Qed.
Lemma sum_seq f : forall n, fold_right Rplus 0 (map f (seq 0 n)) = sum n f.
Proof.
  assert (A : forall l a, fold_right Rplus a l = fold_right Rplus 0 l + a) by (induction l; intros; simpl; [|rewrite IHl]; lra).
  induction n; [reflexivity|]. rewrite seq_S, map_app, fold_right_app. simpl. rewrite A, IHn. lra.
Qed.
Lemma eval_switchK v s : length v = K -> (forall k, 0 <= s k) ->
  eval switchK (v ++ map s (seq 0 K)) = map (fun k => gate B (nth k v 0) (1 - sum K s) + s k) (seq 0 K).
Proof.
  intros L P. unfold eval, switchK, run. cbn [hidden readout fold_left].
  set (x := v ++ map s (seq 0 K)).
  assert (E : forall l1 l2, step x (l1 ++ l2) = step x l1 ++ step x l2) by (intros; unfold step; now rewrite affine_app, map_app).
  rewrite E, step_rows2.
  assert (F : step x (map (fun i => (repeat 0 K ++ idrow K i, 0)) (seq 0 K)) = map s (seq 0 K)).
  { unfold step, affine. rewrite !map_map. cbn [fst snd]. apply map_ext_in. intros i I. apply in_seq in I. unfold x.
    rewrite dot_skip by auto. rewrite dot_idrow by (rewrite ?map_length, ?seq_length; lia).
    rewrite (nth_indep (map s (seq 0 K)) 0 (s 0%nat)) by (rewrite map_length, seq_length; lia). rewrite map_nth, seq_nth by lia. cbn [Nat.add].
    rewrite relu_pos; specialize (P i); lra. }
  rewrite F. unfold affine. rewrite map_map. cbn [fst snd]. apply map_ext_in. intros i I. apply in_seq in I.
  rewrite dot_pick by lia. cbn [Nat.add]. unfold x.
  rewrite !(dot_app K) by (rewrite ?map_length, ?idrow_length; auto; lia). rewrite !dot_opp, !dot_idrow by (auto; lia).
  rewrite (dot_repeat_sum (- B) K) by (rewrite map_length, seq_length; auto). rewrite sum_seq.
  rewrite (dot_idrow K i (map s (seq 0 K))) by (rewrite ?map_length, ?seq_length; lia).
  rewrite (nth_indep (map s (seq 0 K)) 0 (s 0%nat)) by (rewrite map_length, seq_length; lia). rewrite map_nth, seq_nth by lia. cbn [Nat.add].
  unfold gate. replace (nth i v 0 + - B * sum K s + 0) with (nth i v 0 - B * (1 - (1 - sum K s))) by lra.
  replace (- nth i v 0 + - B * sum K s + 0) with (- nth i v 0 - B * (1 - (1 - sum K s))) by lra. lra.
Qed.
Lemma wf_carryK n k : wf n (carryK n k).
Proof.
  destruct k as [|k]; unfold wf; simpl; [apply fits_ident|]. split.
  - unfold splitK, rows2, fits. apply Forall_forall. intros rb I. apply in_flat_map in I as [i [I [<-|[<-|[]]]]]; apply in_seq in I; simpl;
      rewrite ?map_length, idrow_length; lia.
  - unfold splitK. rewrite rows2_length. assert (J : fits (2 * n) (joinK n)).
    { unfold fits, joinK. rewrite Forall_map. apply Forall_forall. intros i I. apply in_seq in I. cbn [fst]. unfold pick.
      rewrite app_length; cbn [length]. rewrite app_length, !repeat_length. cbn [length]. lia. }
    change (n + (n + 0))%nat with (2 * n)%nat. induction k; cbn [repeat fit]; [exact J|]. split; [apply fits_ident|]. rewrite ident_length. exact IHk.
Qed.
Lemma depth_carryK n k : depth (carryK n k) = k.
Proof. destruct k; unfold depth; simpl; auto. now rewrite repeat_length. Qed.

Theorem eval_memorizeK clean x : wf D clean -> length (readout clean) = K -> length x = D ->
  eval inds x = map (fun cy => ind (fst cy) x) S ->
  eval (memorizeK clean) x = map (fun k => f_S ind B K (fun x k => nth k (eval clean x) 0) S x k) (seq 0 K).
Proof.
  intros W O L E. unfold memorizeK. rewrite eval_compose.
  assert (C : eval capsK x = map (fun k => capped ind S k x) (seq 0 K)).
  { unfold capsK. rewrite !eval_compose, E, eval_capK. apply eval_carry; [rewrite map_length; apply seq_length|].
    rewrite Forall_map. apply Forall_forall. intros k _. now apply capped_range. }
  assert (Lc : length (eval clean x) = K) by (unfold eval; now rewrite affine_length).
  rewrite (eval_parallel _ _ D); auto.
  - set (a := (depth capsK - depth clean)%nat). set (b := (depth clean - depth capsK)%nat).
    replace (eval (delay a (carryK K a) clean) x) with (eval clean x).
    2: { unfold delay. destruct a; auto. now rewrite eval_compose, eval_carryK. }
    replace (eval (delay b (carry K b) capsK) x) with (map (fun k => capped ind S k x) (seq 0 K)).
    2: { unfold delay. destruct b; auto. rewrite eval_compose, C, eval_carry; auto; [rewrite map_length; apply seq_length|].
         rewrite Forall_map. apply Forall_forall. intros k _. now apply capped_range. }
    rewrite eval_switchK; auto. intros k. now apply capped_range.
  - set (a := (depth capsK - depth clean)%nat). unfold delay. destruct a; auto. apply wf_compose; auto. rewrite O. apply wf_carryK.
  - rewrite !depth_delay by (apply depth_carryK || apply depth_carry). lia.
Qed.
End K.

(** l_inf, lean, K classes: one-hot rows on the balls, f_clean outside. *)
Theorem memorizeK_on_ball inner outer delta B K D clean S c y x :
  0 <= inner -> inner < outer -> delta <= inner -> wf D clean -> length (readout clean) = K -> (y < K)%nat ->
  (forall k, Rabs (nth k (eval clean x) 0) <= B) -> (forall c y, In (c, y) S -> length c = D) -> separated outer delta S ->
  In (c, y) S -> in_ball c delta x ->
  eval (memorizeK B K (indicators inner outer D S) S clean) x = map (fun k => if Nat.eqb k y then 1 else 0) (seq 0 K).
Proof.
  intros Hi Hio Hd W O Y Hb H Sep I Bx. assert (L : length x = D) by (rewrite (in_ball_length _ _ _ Bx); eauto).
  rewrite (eval_memorizeK (indicator inner outer) B K D); auto using indicator_ge0; [|now apply eval_indicators].
  apply map_ext. intros k. apply (f_S_on_ball _ B (indicator_ge0 inner outer) S K _ c y); auto.
  now apply (linf_covered inner outer delta S D).
Qed.
Theorem memorizeK_outside inner outer B K D clean S x :
  0 <= inner -> inner < outer -> wf D clean -> length (readout clean) = K -> (forall c y, In (c, y) S -> length c = D) -> length x = D ->
  (forall c y, In (c, y) S -> outside c outer x) -> eval (memorizeK B K (indicators inner outer D S) S clean) x = eval clean x.
Proof.
  intros Hi Hio W O H L Out. rewrite (eval_memorizeK (indicator inner outer) B K D); auto using indicator_ge0; [|now apply eval_indicators].
  transitivity (map (fun k => nth k (eval clean x) 0) (seq 0 K)).
  - apply map_ext. intros k. apply (f_S_outside (indicator inner outer) B S). apply (linf_outside inner outer S D); auto.
  - assert (Lc : length (eval clean x) = K) by (unfold eval; now rewrite affine_length). rewrite <- Lc. apply map_nth_seq.
Qed.
