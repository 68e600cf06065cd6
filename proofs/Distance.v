(** Networks on separate inputs, the maximum of n numbers >= 0, the l_inf distance and the soft indicator, for all n and D. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Multiplication EuclideanDistance.
Import ListNotations.
Open Scope R_scope.

Definition dsum (n : nat) (f g : net) : net :=
  let (h, o) := diags n (hidden f) (hidden g) (readout f) (readout g) in Net h o.
Theorem eval_dsum n f g x y : wf n f -> depth f = depth g -> length x = n -> eval (dsum n f g) (x ++ y) = eval f x ++ eval g y.
Proof.
  intros W E L. pose proof (eval_diags (hidden f) (hidden g) n (readout f) (readout g) x y E W L) as H.
  unfold dsum, eval. destruct (diags _ _ _ _ _). exact H.
Qed.
Lemma depth_dsum n f g : depth f = depth g -> depth (dsum n f g) = depth f.
Proof.
  unfold depth, dsum. destruct f as [fs fo], g as [gs go]; simpl. revert gs n.
  induction fs as [|a fs IH]; intros [|b gs] n E; simpl in *; try lia.
  specialize (IH gs (length a) ltac:(lia)). destruct (diags (length a) fs gs fo go); simpl in *. lia.
Qed.

(** * the maximum, by a balanced tree *)
Definition max2 : net := Net [[([1; -1], 0); ([0; 1], 0)]] [([1; 1], 0)].
Definition hold : net := Net [[([1], 0)]] [([1], 0)].
Fixpoint maxes (p : nat) : net := match p with O => Net [[]] [] | S p' => dsum 2 max2 (maxes p') end.
Definition rotate (n : nat) : net := Net [] (map (fun i => (idrow n i, 0)) (seq 1 (n - 1) ++ [0%nat])).
Definition level (n : nat) : net :=
  if Nat.even n then maxes (n / 2) else compose (dsum (2 * (n / 2)) (maxes (n / 2)) hold) (rotate n).
Fixpoint maximum_ (fuel n : nat) : net :=
  match fuel with
  | O => Net [] (ident n)
  | S k => if (n <=? 1)%nat then Net [] (ident n) else compose (maximum_ k (n - n / 2)) (level n)
  end.
Definition maximum (n : nat) : net := maximum_ n n.

Fixpoint pairs_max (x : vec) : vec := match x with a :: b :: x' => Rmax a b :: pairs_max x' | _ => [] end.
Definition greatest (x : vec) : R := fold_right Rmax 0 x.

Lemma eval_max2 a b : 0 <= b -> eval max2 [a; b] = [Rmax a b].
Proof.
  intros B. unfold eval, max2, run, step, affine; simpl. f_equal.
  replace (1 * a + (-1 * b + 0) + 0) with (a - b) by lra. replace (0 * a + (1 * b + 0) + 0) with b by lra.
  rewrite (relu_pos b) by auto. unfold Rmax; destruct Rle_dec; relus; lra.
Qed.
Lemma depth_maxes p : depth (maxes p) = 1%nat.
Proof. induction p; auto. simpl. rewrite depth_dsum; auto. Qed.
Lemma eval_maxes p : forall x, length x = (2 * p)%nat -> Forall (Rle 0) x -> eval (maxes p) x = pairs_max x.
Proof.
  induction p; intros x L F.
  - destruct x; [reflexivity | simpl in L; lia].
  - destruct x as [|a [|b x]]; simpl in L; try lia. inversion F as [|? ? A F']; inversion F' as [|? ? B F'']; subst.
    cbn [maxes pairs_max]. change (a :: b :: x) with ([a; b] ++ x).
    rewrite eval_dsum; [|wfs | now rewrite depth_maxes | reflexivity]. rewrite eval_max2, IHp by (auto; lia). reflexivity.
Qed.
Lemma wf_maxes p : wf (2 * p) (maxes p) /\ length (readout (maxes p)) = p.
Proof.
  induction p as [|p [W L]]; [split; [wfs | reflexivity]|].
  destruct (maxes p) as [[|l [|]] o] eqn:E; pose proof (depth_maxes p) as Dp; rewrite E in Dp; unfold depth in Dp; simpl in Dp; try lia.
  destruct W as [W1 W2]. replace (2 * S p)%nat with (S (S (2 * p))) by lia. unfold wf. cbn [maxes]. rewrite E. unfold dsum.
  cbn [max2 hidden readout diags fit length Nat.add] in *. split.
  - split; unfold diag; (apply Forall_app; split; [repeat (apply Forall_cons; [simpl; lia|]); apply Forall_nil|]); rewrite Forall_map;
      [eapply Forall_impl; [|exact W1] | eapply Forall_impl; [|exact W2]]; intros [r v] H;
      cbn [fst] in *; rewrite ?app_length, ?map_length, ?repeat_length in *; try lia; exact (le_n_S _ _ (le_n_S _ _ H)).
  - unfold diag. rewrite app_length, map_length. now rewrite <- L.
Qed.
Lemma eval_rotate a x : eval (rotate (S (length x))) (a :: x) = x ++ [a].
Proof.
  unfold eval, rotate, run. cbn [hidden readout fold_left]. unfold affine. rewrite map_map, map_app. cbn [map fst snd].
  replace (S (length x) - 1)%nat with (length x) by lia. f_equal.
  - rewrite <- seq_shift, map_map. transitivity (map (fun i => nth i x 0) (seq 0 (length x))); [|apply map_nth_seq].
    apply map_ext_in. intros i I. apply in_seq in I. rewrite dot_idrow by (cbn [length]; lia). cbn [nth]. lra.
  - f_equal. rewrite dot_idrow by (cbn [length]; lia). cbn [nth]. lra.
Qed.
Lemma greatest_app x y : greatest (x ++ y) = Rmax (greatest x) (greatest y).
Proof.
  unfold greatest. induction x; simpl; [|now rewrite IHx, Rmax_assoc].
  assert (0 <= fold_right Rmax 0 y) by (clear; induction y; simpl; [lra | eapply Rle_trans; [exact IHy | apply Rmax_r]]). now rewrite Rmax_right.
Qed.
Lemma greatest_pairs p : forall x, length x = (2 * p)%nat -> greatest (pairs_max x) = greatest x.
Proof.
  unfold greatest. induction p; intros [|a [|b x]] L; simpl in *; try lia; auto. rewrite IHp by lia. now rewrite Rmax_assoc.
Qed.
Lemma pairs_length p : forall x, length x = (2 * p)%nat -> length (pairs_max x) = p.
Proof. induction p; intros [|a [|b x]] L; simpl in *; try lia; auto. rewrite IHp; lia. Qed.
Lemma pairs_ge0 p : forall x, length x = (2 * p)%nat -> Forall (Rle 0) x -> Forall (Rle 0) (pairs_max x).
Proof.
  induction p; intros [|a [|b x]] L F; simpl in *; try lia; auto. inversion F as [|? ? A F']; inversion F' as [|? ? B F'']; subst.
  constructor; [eapply Rle_trans; [exact A | apply Rmax_l] | apply IHp; auto; lia].
Qed.
Lemma eval_level n x : length x = n -> Forall (Rle 0) x -> let y := eval (level n) x in
  length y = (n - n / 2)%nat /\ Forall (Rle 0) y /\ greatest y = greatest x.
Proof.
  intros L F. unfold level. destruct (Nat.even n) eqn:E.
  - apply Nat.even_spec in E as [p E]. replace (n / 2)%nat with p by (rewrite E, Nat.mul_comm, Nat.div_mul; auto).
    rewrite eval_maxes by (auto; lia). cbv zeta. repeat split.
    + rewrite (pairs_length p); lia.
    + apply (pairs_ge0 p); auto; lia.
    + apply (greatest_pairs p); lia.
  - assert (O : Nat.odd n = true) by (unfold Nat.odd; now rewrite E). apply Nat.odd_spec in O as [p O].
    replace (n / 2)%nat with p by (apply (Nat.div_unique n 2 p 1); lia).
    destruct x as [|a x]; simpl in L; [lia|]. inversion F as [|? ? A F']; subst.
    rewrite eval_compose. rewrite eval_rotate. rewrite eval_dsum; [|apply wf_maxes | now rewrite depth_maxes | lia].
    rewrite eval_maxes by (auto; lia). replace (eval hold [a]) with [a].
    2: { unfold eval, hold, run, step, affine; simpl. rewrite relu_pos by lra. f_equal; lra. }
    cbv zeta. repeat split.
    + rewrite app_length, (pairs_length p) by lia. cbn [length]. lia.
    + apply Forall_app. split; [apply (pairs_ge0 p); auto; lia | auto].
    + rewrite greatest_app, (greatest_pairs p) by lia. unfold greatest; simpl. rewrite (Rmax_left a 0) by auto. apply Rmax_comm.
Qed.
Lemma eval_maximum_ fuel : forall n x, (n <= fuel)%nat -> (1 <= n)%nat -> length x = n -> Forall (Rle 0) x -> eval (maximum_ fuel n) x = [greatest x].
Proof.
  induction fuel as [|k IH]; intros n x Hf Hn L F; [lia|]. cbn [maximum_]. destruct (Nat.leb_spec n 1).
  - destruct x as [|a [|]]; simpl in L; try lia. inversion F; subst. unfold eval, run; simpl fold_left. simpl readout. 
    rewrite (affine_ident 1) by auto. unfold greatest; simpl. now rewrite Rmax_left.
  - rewrite eval_compose. destruct (eval_level n x L F) as [A [B C]]. cbv zeta in *.
    assert (n / 2 < n)%nat by (apply Nat.div_lt; lia). assert (1 <= n / 2)%nat by (change 1%nat with (2 / 2)%nat; apply Nat.div_le_mono; lia).
    rewrite IH; auto; try lia. now rewrite C.
Qed.
Theorem eval_maximum n x : (1 <= n)%nat -> length x = n -> Forall (Rle 0) x -> eval (maximum n) x = [greatest x].
Proof. intros. apply eval_maximum_; auto. Qed.

(** * l_inf distance to a point: max(|u|, |v|) = relu(u + v) + relu(u - v) - u on neighbours, then the maximum *)
Definition near2 (a b : R) : net := Net [[([1; 1], - (a + b)); ([1; -1], b - a); ([1; 0], 0)]] [([1; 1; -1], a)].
Definition near1 (a : R) : net := Net [[([1], - a); ([-1], a)]] [([1; 1], 0)].
Fixpoint neighbours (c : vec) : net :=
  match c with [] => Net [[]] [] | [a] => near1 a | a :: b :: c' => dsum 2 (near2 a b) (neighbours c') end.
Definition linf_distance (c : vec) : net := compose (maximum ((length c + 1) / 2)) (neighbours c).
Fixpoint linf (c x : vec) : R := match c, x with a :: c', v :: x' => Rmax (Rabs (v - a)) (linf c' x') | _, _ => 0 end.

Lemma eval_near2 a b u v : 0 <= u -> eval (near2 a b) [u; v] = [Rmax (Rabs (u - a)) (Rabs (v - b))].
Proof.
  intros U. unfold eval, near2, run, step, affine; simpl. f_equal.
  replace (1 * u + (1 * v + 0) + - (a + b)) with ((u - a) + (v - b)) by lra. replace (1 * u + (-1 * v + 0) + (b - a)) with ((u - a) - (v - b)) by lra.
  replace (1 * u + (0 * v + 0) + 0) with u by lra. rewrite (relu_pos u) by auto.
  unfold Rmax, Rabs; destruct Rcase_abs, Rcase_abs, Rle_dec; relus; lra.
Qed.
Lemma depth_neighbours : forall n c, (length c <= n)%nat -> depth (neighbours c) = 1%nat.
Proof. induction n; intros [|a [|b c]] L; simpl in *; try lia; auto. rewrite depth_dsum; auto. simpl. symmetry. apply IHn. lia. Qed.
Lemma eval_neighbours : forall n c x, (length c <= n)%nat -> length x = length c -> Forall (Rle 0) x ->
  let y := eval (neighbours c) x in length y = ((length c + 1) / 2)%nat /\ Forall (Rle 0) y /\ greatest y = linf c x.
Proof.
  induction n; intros [|a [|b c]] [|u [|v x]] N L F; simpl in N, L; try lia; try (repeat split; auto; fail).
  - cbv zeta. inversion F; subst. cbn [neighbours linf length].
    replace (eval (near1 a) [u]) with [Rabs (u - a)].
    2: { unfold eval, near1, run, step, affine; simpl. rewrite relu_abs. f_equal.
         replace (1 * u + 0 + - a) with (u - a) by lra. replace (-1 * u + 0 + a) with (- (u - a)) by lra. lra. }
    repeat split; auto using Rabs_pos.
  - inversion F as [|? ? A F']; inversion F' as [|? ? B F'']; subst. cbv zeta. cbn [neighbours].
    change (u :: v :: x) with ([u; v] ++ x). rewrite eval_dsum; [|wfs | symmetry; now apply (depth_neighbours n); lia | reflexivity].
    rewrite eval_near2 by auto. destruct (IHn c x ltac:(lia) ltac:(lia) F'') as [P [Q R]]. cbv zeta in *. repeat split.
    + simpl length. rewrite P. replace (S (S (length c)) + 1)%nat with (length c + 1 + 1 * 2)%nat by lia. rewrite Nat.div_add by lia. lia.
    + simpl. constructor; auto. eapply Rle_trans; [apply (Rabs_pos (u - a)) | apply Rmax_l].
    + simpl app. unfold greatest in *. simpl fold_right. rewrite R. cbn [linf app]. now rewrite Rmax_assoc.
Qed.
Theorem eval_linf_distance c x : c <> [] -> length x = length c -> Forall (Rle 0) x -> eval (linf_distance c) x = [linf c x].
Proof.
  intros C L F. unfold linf_distance. rewrite eval_compose. destruct (eval_neighbours _ c x (le_n _) L F) as [P [Q R]]. cbv zeta in *.
  rewrite eval_maximum; auto; [now rewrite R|]. destruct c as [|a c]; [tauto|]. simpl length.
  change 1%nat with (2 / 2)%nat at 1. apply Nat.div_le_mono; lia.
Qed.

(** * soft indicator *)
Definition soft_indicator (a b : R) : net := Net [[([-1], b); ([-1], a)]] [([/ (b - a); - / (b - a)], 0)].
Theorem eval_soft_indicator a b t : a < b -> eval (soft_indicator a b) [t] = [soft a b t].
Proof.
  intros H. unfold eval, soft_indicator, run, step, affine, soft; simpl.
  replace (-1 * t + 0 + b) with (b - t) by lra. replace (-1 * t + 0 + a) with (a - t) by lra. f_equal. field. lra.
Qed.
