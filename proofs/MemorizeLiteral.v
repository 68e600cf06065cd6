(** Main theorems [literal_near], [literal_far]: f_S as the papers print it, f_clean + sum_i (y_i - f_clean) x Ind_i with multiplications by
    three squares, as a network over any network of indicators, any f_clean, N, D, K and m: on a ball it is within M^2 4^-m of its target
    (1/4 as the library chooses m: margin 3/4), and f_clean exactly outside the outer balls. [literal_linf_on_ball], [literal_linf_outside] and
    [literal_l2_on_ball], [literal_l2_outside] are the instances. Balls must not overlap, those of one class neither. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Squaring Multiplication EuclideanDistance Distance Indicators Memorize MemorizeClasses MemorizeEuclidean
  MemorizeIndicators MemorizeGate MemorizeShared Copies ThreeSquares.
Import ListNotations.
Open Scope R_scope.

(** Targets: of label y at output k. Two labels: a sign; K classes: one-hot. *)
Definition target2 (y k : nat) : R := sign_of y.
Definition targetK (y k : nat) : R := if Nat.eqb k y then 1 else 0.

Section Literal.
Variables (t : nat -> nat -> R) (m D K : nat) (M : R) (inds clean : net) (S : data).
Let N := length S.
Definition label (i : nat) : nat := nth i (map snd S) 0%nat.

(** * the network *)
(** For ball i and output k the factors t - f_clean and Ind_i. *)
Definition factors : layer :=
  flat_map (fun i => flat_map (fun k => [(map Ropp (idrow K k) ++ repeat 0 N, t (label i) k); (repeat 0 K ++ idrow N i, 0)]) (seq 0 K)) (seq 0 N).
Definition products : net := compose (copies (N * K) 2 (yarotsky m M)) (Net [] factors).
Definition carried : net := compose (carryK K (m + 3)) (Net [] (map (fun k => (idrow K k ++ repeat 0 N, 0)) (seq 0 K))).
Definition totals : net := Net [] (map (fun k => (idrow K k ++ concat (repeat (idrow K k) N), 0)) (seq 0 K)).
Definition wait_clean : nat := (Nat.max (depth clean + 1) (depth inds) - depth clean)%nat.
Definition wait_inds : nat := (Nat.max (depth clean + 1) (depth inds) - depth inds)%nat.
Definition base : net := parallel (delay wait_clean (carryK K wait_clean) clean) (delay wait_inds (carry N wait_inds) inds).
Definition literal : net := compose totals (compose (parallel carried products) base).

(** Their depths. *)
Lemma wf_carried : wf (K + N) carried.
Proof.
  unfold carried. apply wf_compose; [|cbn [readout]; rewrite map_length, seq_length; apply wf_carryK].
  unfold wf. cbn [hidden readout fit]. unfold fits. rewrite Forall_map. apply Forall_forall. intros k J. apply in_seq in J. cbn [fst].
  rewrite app_length, idrow_length, repeat_length by lia. lia.
Qed.
(** m + 3 layers wait. *)
Lemma depth_carried : depth carried = (m + 3)%nat.
Proof. unfold carried. rewrite depth_compose, depth_carryK. unfold depth; simpl. lia. Qed.
(** As many as the products have. *)
Lemma depth_products : (1 <= m)%nat -> depth products = (m + 3)%nat.
Proof. intros Hm. unfold products. rewrite depth_compose, depth_copies, depth_yarotsky by auto. unfold depth; simpl. lia. Qed.

(** * its value *)
Variables (ind : vec -> vec -> R) (x : vec).
Hypotheses (Hm : (1 <= m)%nat) (HM : 0 < M) (W : wf D clean) (O : length (readout clean) = K) (L : length x = D).
Hypotheses (I : eval inds x = map (fun cy => ind (fst cy) x) S) (Ind : forall c, 0 <= ind c x <= M).
Let v := eval clean x.
Let s := map (fun cy : vec * nat => ind (fst cy) x) S.
Hypothesis (Hv : forall i k, (k < K)%nat -> Rabs (t i k - nth k v 0) <= M).
(** K values of f_clean. *)
Lemma v_length : length v = K.
Proof. unfold v, eval. now rewrite affine_length. Qed.
(** N indicators. *)
Lemma s_length : length s = N.
Proof. unfold s. apply map_length. Qed.
(** They are between 0 and M. *)
Lemma s_range i : 0 <= nth i s 0 <= M.
Proof.
  destruct (le_lt_dec (length s) i) as [H|H]; [rewrite nth_overflow by auto; lra|]. pose proof (nth_In s 0 H) as J. unfold s in J at 2.
  apply in_map_iff in J as [[c y] [<- _]]. apply Ind.
Qed.
(** f_clean and all indicators. *)
Lemma eval_base : eval base x = v ++ s.
Proof.
  unfold base. rewrite (eval_parallel _ _ D); auto.
  - f_equal.
    + unfold delay. destruct wait_clean; auto. rewrite eval_compose. apply eval_carryK. apply v_length.
    + unfold delay. destruct wait_inds; auto. rewrite eval_compose, I. apply eval_carry; [apply s_length|]. apply Forall_forall. intros a J.
      apply in_map_iff in J as [[c y] [<- _]]. apply Ind.
  - unfold delay. destruct wait_clean; auto. apply wf_compose; auto. rewrite O. apply wf_carryK.
  - rewrite !depth_delay by (apply depth_carryK || apply depth_carry). unfold wait_clean, wait_inds. lia.
Qed.
(** The pairs of factors. *)
Definition pair_of (i k : nat) : vec := [t (label i) k - nth k v 0; nth i s 0].
Definition pairs_of : list vec := flat_map (fun i => map (pair_of i) (seq 0 K)) (seq 0 N).
(** Sums over two parts. *)
Lemma dot_two a b y z : length a = length y -> dot (a ++ b) (y ++ z) = dot a y + dot b z.
Proof. intros E. now apply (dot_app (length a)). Qed.
(** All factors. *)
Lemma eval_factors : eval (Net [] factors) (v ++ s) = concat pairs_of.
Proof.
  unfold eval, run, affine, factors, pairs_of. cbn [hidden readout fold_left].
  assert (Hi : forall i, In i (seq 0 N) -> (i < N)%nat) by (intros i J; apply in_seq in J; lia). revert Hi. generalize (seq 0 N) as li.
  induction li as [|i li IH]; intros Hi; [reflexivity|]. cbn [flat_map]. rewrite map_app, concat_app. f_equal; [|exact (IH (fun i' J => Hi i' (or_intror J)))].
  assert (Hk : forall k, In k (seq 0 K) -> (k < K)%nat) by (intros k J; apply in_seq in J; lia). revert Hk. generalize (seq 0 K) as lk.
  induction lk as [|k lk IHk]; intros Hk; [reflexivity|]. cbn [flat_map map concat app fst snd]. rewrite <- (IHk (fun k' J => Hk k' (or_intror J))). unfold pair_of. cbn [app].
  specialize (Hk k (or_introl eq_refl)). specialize (Hi i (or_introl eq_refl)).
  rewrite !dot_two by (rewrite ?map_length, ?idrow_length, ?repeat_length, ?v_length; auto).
  rewrite dot_opp, !dot_zeros, !dot_idrow by (auto using v_length, s_length). f_equal; [lra | f_equal; lra].
Qed.
Definition product_of (i k : nat) : R := mul3 m M (t (label i) k - nth k v 0) (nth i s 0).
Definition products_of : vec := flat_map (fun i => map (product_of i) (seq 0 K)) (seq 0 N).
(** N K products. *)
Lemma pairs_length : length pairs_of = (N * K)%nat.
Proof.
  unfold pairs_of. rewrite <- (seq_length N 0) at 2. generalize (seq 0 N). induction l as [|i l IH]; auto. cbn [flat_map length Nat.mul].
  rewrite app_length, map_length, seq_length, IH. reflexivity.
Qed.
(** All products. *)
Lemma eval_products : eval products (v ++ s) = products_of.
Proof.
  unfold products. rewrite eval_compose, eval_factors, <- pairs_length, eval_copies.
  - unfold pairs_of, products_of. generalize (seq 0 N) as li. induction li as [|i li IH]; [reflexivity|]. cbn [flat_map]. rewrite map_app, concat_app, IH. f_equal.
    assert (Hk : forall k, In k (seq 0 K) -> (k < K)%nat) by (intros k J; apply in_seq in J; lia). revert Hk. generalize (seq 0 K) as lk.
    induction lk as [|k lk IHk]; intros Hk; [reflexivity|]. cbn [map concat]. rewrite IHk by (intros; apply Hk; right; auto).
    unfold pair_of at 1. rewrite eval_yarotsky; auto; [apply Hv, Hk; left; auto|]. destruct (s_range i) as [A B]. rewrite Rabs_right; lra.
  - now apply wf_yarotsky.
  - intros p J. unfold pairs_of in J. apply in_flat_map in J as [i [_ J]]. apply in_map_iff in J as [k [<- _]]. reflexivity.
Qed.
(** f_clean, carried. *)
Lemma eval_carried : eval carried (v ++ s) = v.
Proof.
  unfold carried. rewrite eval_compose. replace (eval (Net [] _) (v ++ s)) with v; [apply eval_carryK, v_length|].
  unfold eval, run, affine. cbn [hidden readout fold_left]. rewrite map_map. rewrite <- (map_nth_seq v) at 1. rewrite v_length. apply map_ext_in.
  intros k J. apply in_seq in J. cbn [fst snd]. rewrite dot_two, dot_zeros, dot_idrow by (rewrite ?idrow_length, ?v_length; auto; lia). lra.
Qed.
(** f_clean and the sum of the products. *)
Definition f_literal (k : nat) : R := nth k v 0 + fold_right Rplus 0 (map (fun i => product_of i k) (seq 0 N)).
(** The network's value. *)
Theorem eval_literal : eval literal x = map f_literal (seq 0 K).
Proof.
  unfold literal. rewrite !eval_compose, eval_base, (eval_parallel _ _ (K + N)).
  - rewrite eval_carried, eval_products. unfold totals, eval, run, affine. cbn [hidden readout fold_left]. rewrite map_map. apply map_ext_in. intros k J.
    apply in_seq in J. cbn [fst snd]. rewrite dot_two, dot_idrow by (rewrite ?idrow_length, ?v_length; auto; lia). unfold f_literal. rewrite Rplus_0_r. f_equal.
    unfold products_of. rewrite <- (seq_length N 0) at 1. generalize (seq 0 N) as li. induction li as [|i li IH]; [reflexivity|].
    cbn [length repeat concat flat_map map fold_right]. rewrite dot_two by (rewrite map_length, seq_length, idrow_length; auto; lia). rewrite IH. f_equal.
    rewrite dot_idrow by (rewrite ?map_length, ?seq_length; auto; lia).
    rewrite (nth_indep _ 0 (product_of i 0)) by (rewrite map_length, seq_length; lia). now rewrite map_nth, seq_nth by lia.
  - apply wf_carried.
  - now rewrite depth_carried, depth_products by auto.
  - now rewrite app_length, v_length, s_length.
Qed.
(** Sums with at most one term that is not 0. *)
Lemma sum_zeros (h : nat -> R) l : (forall i, In i l -> h i = 0) -> fold_right Rplus 0 (map h l) = 0.
Proof. induction l as [|i l IH]; intros H; [reflexivity|]. cbn [map fold_right]. rewrite (H i (or_introl eq_refl)), (IH (fun j J => H j (or_intror J))). lra. Qed.
(** One term that is not 0. *)
Lemma sum_one (h : nat -> R) i0 l : NoDup l -> In i0 l -> (forall i, In i l -> i <> i0 -> h i = 0) -> fold_right Rplus 0 (map h l) = h i0.
Proof.
  induction l as [|i l IH]; intros Nd J H; [destruct J|]. inversion Nd; subst. cbn [map fold_right]. destruct J as [->|J].
  - rewrite sum_zeros; [lra|]. intros j Jj. apply H; [right; auto|]. intros ->. tauto.
  - rewrite (H i (or_introl eq_refl)) by (intros ->; tauto). rewrite (IH H3 J (fun j Jj => H j (or_intror Jj))). lra.
Qed.
(** On ball i alone: near its target. *)
Theorem literal_near i : 1 <= M -> (i < N)%nat -> nth i s 0 = 1 -> (forall j, (j < N)%nat -> j <> i -> nth j s 0 = 0) ->
  forall k, (k < K)%nat -> Rabs (nth k (eval literal x) 0 - t (label i) k) <= M ^ 2 * / 4 ^ m.
Proof.
  intros M1 Hi E Z k Hk. rewrite eval_literal. rewrite (nth_indep _ 0 (f_literal 0)) by (rewrite map_length, seq_length; lia).
  rewrite map_nth, seq_nth by lia. cbn [Nat.add]. unfold f_literal. rewrite (sum_one _ i).
  - unfold product_of. rewrite E. pose proof (mul3_error m M (t (label i) k - nth k v 0) 1 HM (Hv _ _ Hk)) as Q. rewrite Rabs_R1 in Q. specialize (Q M1).
    assert (0 < M ^ 2 * / 4 ^ m) by (apply Rmult_lt_0_compat; [apply pow_lt; lra | apply Rinv_0_lt_compat, pow4]). apply Rabs_le. lra.
  - apply seq_NoDup.
  - apply in_seq. lia.
  - intros j J N'. apply in_seq in J. unfold product_of. apply mul3_zero. right. apply Z; auto; lia.
Qed.
(** Outside all: f_clean. *)
Theorem literal_far : (forall j, (j < N)%nat -> nth j s 0 = 0) -> eval literal x = eval clean x.
Proof.
  intros Z. rewrite eval_literal. fold v. rewrite <- (map_nth_seq v) at 1. rewrite v_length. apply map_ext_in. intros k J. unfold f_literal. rewrite sum_zeros; [lra|].
  intros i Ji. apply in_seq in Ji. unfold product_of. apply mul3_zero. right. apply Z. lia.
Qed.
End Literal.

(** * margins *)
Lemma Rabs_bounds e u : Rabs u <= e -> - e <= u <= e.
Proof. unfold Rabs; destruct Rcase_abs; intros; lra. Qed.
(** Two labels: margin 3/4. *)
Theorem margin2 f y : (y < 2)%nat -> Rabs (f - target2 y 0) <= 1 / 4 -> 3 / 4 <= sign_of y * f.
Proof. intros Y H. unfold target2, sign_of in *. destruct Nat.eqb; apply Rabs_bounds in H; lra. Qed.
(** K classes: the label's output is at least 3/4, the others at most 1/4. *)
Theorem marginK K (f : vec) y : (y < K)%nat -> (forall k, (k < K)%nat -> Rabs (nth k f 0 - targetK y k) <= 1 / 4) ->
  3 / 4 <= nth y f 0 /\ forall k, (k < K)%nat -> k <> y -> nth k f 0 <= 1 / 4.
Proof.
  intros Y H. unfold targetK in H. split.
  - specialize (H y Y). rewrite Nat.eqb_refl in H. apply Rabs_bounds in H. lra.
  - intros k Hk N. specialize (H k Hk). apply Nat.eqb_neq in N. rewrite N in H. apply Rabs_bounds in H. lra.
Qed.
(** Soft indicators are at most 1. *)
Lemma soft_le1 a b z : a < b -> soft a b z <= 1.
Proof.
  intros H. unfold soft. apply Rmult_le_reg_r with (b - a); [lra|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. relus; lra.
Qed.
(** Indicator j. *)
Lemma nth_ind (ind : vec -> vec -> R) (S : data) x j c y : nth_error S j = Some (c, y) -> nth j (map (fun cy : vec * nat => ind (fst cy) x) S) 0 = ind c x.
Proof. intros E. apply nth_error_nth. rewrite nth_error_map, E. reflexivity. Qed.
(** Label j. *)
Lemma nth_label (S : data) j c y : nth_error S j = Some (c, y) -> label S j = y.
Proof. intros E. unfold label. apply nth_error_nth. rewrite nth_error_map, E. reflexivity. Qed.
(** There is a centre j. *)
Lemma nth_some (S : data) j : (j < length S)%nat -> exists c y, nth_error S j = Some (c, y).
Proof. intros H. destruct (nth_error S j) as [[c y]|] eqn:E; [eauto|]. apply nth_error_None in E. lia. Qed.

(** * l_inf *)
Section Linf.
Variables (t : nat -> nat -> R) (m D K : nat) (a b delta M : R) (clean : net) (S : data) (x : vec).
Hypotheses (Hm : (1 <= m)%nat) (Ha : 0 <= a) (Hab : a < b) (Hd : delta <= a) (D1 : (1 <= D)%nat) (M1 : 1 <= M) (W : wf D clean) (O : length (readout clean) = K).
Hypotheses (HS : forall c y, In (c, y) S -> length c = D) (L : length x = D) (X : Forall (Rle 0) x).
Hypothesis Hv : forall i k, (k < K)%nat -> Rabs (t i k - nth k (eval clean x) 0) <= M.
Let f := literal t m K M (gate_indicators a b D S) clean S.
(** Indicators are factors that the product allows. *)
Lemma indI_range c : 0 <= indI a b c x <= M.
Proof. split; [now apply indI_ge0|]. eapply Rle_trans; [apply soft_le1; auto | exact M1]. Qed.
(** All centres, those of one class too, are outer + delta apart. *)
Theorem literal_linf_on_ball i c y : (forall j c' y', nth_error S j = Some (c', y') -> j <> i -> outside c' (b + delta) c) ->
  nth_error S i = Some (c, y) -> in_ball c delta x -> forall k, (k < K)%nat -> Rabs (nth k (eval f x) 0 - t y k) <= M ^ 2 * / 4 ^ m.
Proof.
  intros Sep E Bx k Hk. rewrite <- (nth_label S i c y E). unfold f.
  assert (Ii : In (c, y) S) by (eapply nth_error_In; eauto).
  apply (literal_near t m D K M (gate_indicators a b D S) clean S (indI a b) x); auto; try lra.
  - now apply eval_gate_indicators.
  - intros; apply indI_range.
  - apply nth_error_Some. congruence.
  - rewrite (nth_ind _ S x i c y E). apply soft_1; auto. apply linf_ball; auto. eapply in_ball_le; eauto.
  - intros j Hj N. destruct (nth_some S j Hj) as [c' [y' E']]. rewrite (nth_ind _ S x j c' y' E'). assert (I' : In (c', y') S) by (eapply nth_error_In; eauto).
    apply soft_0; auto. apply linf_far; [rewrite L; symmetry; eauto|]. apply (outside_ball c c' delta); auto; [rewrite (HS _ _ Ii), (HS _ _ I'); auto | eauto].
Qed.
(** f_clean outside. *)
Theorem literal_linf_outside : (forall c y, In (c, y) S -> outside c b x) -> eval f x = eval clean x.
Proof.
  intros Out. unfold f. apply (literal_far t m D K M (gate_indicators a b D S) clean S (indI a b) x); auto; try lra.
  - now apply eval_gate_indicators.
  - intros; apply indI_range.
  - intros j Hj. destruct (nth_some S j Hj) as [c' [y' E']]. rewrite (nth_ind _ S x j c' y' E'). assert (I' : In (c', y') S) by (eapply nth_error_In; eauto).
    apply soft_0; auto. apply linf_far; eauto. rewrite L. symmetry; eauto.
Qed.
End Linf.

(** * l_2 *)
Section L2.
Variables (t : nat -> nat -> R) (m D K : nat) (a b delta outer M : R) (clean : net) (S : data) (x : vec).
Hypotheses (Hm : (1 <= m)%nat) (Hab : a < b) (Ha : delta ^ 2 + INR D * / 4 ^ (m + 1) <= a) (Hb : b <= outer ^ 2) (Ho : 0 < outer) (Hd : 0 <= delta) (M1 : 1 <= M).
Hypotheses (W : wf D clean) (O : length (readout clean) = K) (HS : forall c y, In (c, y) S -> length c = D /\ unit c) (L : length x = D) (U : unit x).
Hypothesis Hv : forall i k, (k < K)%nat -> Rabs (t i k - nth k (eval clean x) 0) <= M.
Let f := literal t m K M (indicators2 m D a b S) clean S.
(** Indicators are factors that the product allows. *)
Lemma ind2_range c : 0 <= ind2 (phi m) a b c x <= M.
Proof. split; [now apply soft_ge0|]. eapply Rle_trans; [apply soft_le1; auto | exact M1]. Qed.
(** Near the target on the ball. *)
Theorem literal_l2_on_ball i c y : (forall j c' y', nth_error S j = Some (c', y') -> j <> i -> (outer + delta) ^ 2 <= d2 c' c) ->
  nth_error S i = Some (c, y) -> d2 c x <= delta ^ 2 -> forall k, (k < K)%nat -> Rabs (nth k (eval f x) 0 - t y k) <= M ^ 2 * / 4 ^ m.
Proof.
  intros Sep E Bx k Hk. rewrite <- (nth_label S i c y E). unfold f.
  assert (Ii : In (c, y) S) by (eapply nth_error_In; eauto). destruct (HS c y Ii) as [Lc Uc].
  apply (literal_near t m D K M (indicators2 m D a b S) clean S (ind2 (phi m) a b) x); auto; try lra.
  - now apply eval_indicators2.
  - intros; apply ind2_range.
  - apply nth_error_Some. congruence.
  - rewrite (nth_ind _ S x i c y E). apply soft_1; auto. pose proof (phi_error m c x ltac:(congruence) Uc U) as Q. rewrite Lc in Q. lra.
  - intros j Hj N. destruct (nth_some S j Hj) as [c' [y' E']]. rewrite (nth_ind _ S x j c' y' E'). assert (I' : In (c', y') S) by (eapply nth_error_In; eauto).
    destruct (HS c' y' I') as [Lc' Uc']. apply soft_0; auto. pose proof (phi_error m c' x ltac:(congruence) Uc' U).
    pose proof (d2_far delta outer c c' x Ho Hd ltac:(congruence) ltac:(congruence) Bx (Sep j c' y' E' N)). lra.
Qed.
(** f_clean outside. *)
Theorem literal_l2_outside : (forall c y, In (c, y) S -> outer ^ 2 <= d2 c x) -> eval f x = eval clean x.
Proof.
  intros Out. unfold f. apply (literal_far t m D K M (indicators2 m D a b S) clean S (ind2 (phi m) a b) x); auto; try lra.
  - now apply eval_indicators2.
  - intros; apply ind2_range.
  - intros j Hj. destruct (nth_some S j Hj) as [c' [y' E']]. rewrite (nth_ind _ S x j c' y' E'). assert (I' : In (c', y') S) by (eapply nth_error_In; eauto).
    destruct (HS c' y' I') as [Lc' Uc']. apply soft_0; auto. pose proof (phi_error m c' x ltac:(congruence) Uc' U). specialize (Out c' y' I'). lra.
Qed.
End L2.

(** The library's bound, |f_clean| + 1, holds the factors. *)
Theorem target2_bound B v y k : Rabs v + 1 <= B -> Rabs (target2 y k - v) <= B.
Proof. unfold target2, sign_of, Rabs. destruct Nat.eqb, (Rcase_abs v); destruct Rcase_abs; intros; lra. Qed.
(** K classes. *)
Theorem targetK_bound B v y k : Rabs v + 1 <= B -> Rabs (targetK y k - v) <= B.
Proof. unfold targetK, Rabs. destruct Nat.eqb, (Rcase_abs v); destruct Rcase_abs; intros; lra. Qed.
(** The margin of the network, with the m that the library demands: two labels, l_inf. *)
Theorem literal_linf_margin m D a b delta M clean (S : data) x i c y v : (1 <= m)%nat -> 0 <= a -> a < b -> delta <= a -> (1 <= D)%nat -> 1 <= M -> M ^ 2 * / 4 ^ m <= 1 / 4 ->
  wf D clean -> length (readout clean) = 1%nat -> (forall c y, In (c, y) S -> length c = D) -> length x = D -> Forall (Rle 0) x ->
  eval clean x = [v] -> Rabs v + 1 <= M -> (forall j c' y', nth_error S j = Some (c', y') -> j <> i -> outside c' (b + delta) c) ->
  nth_error S i = Some (c, y) -> (y < 2)%nat -> in_ball c delta x ->
  3 / 4 <= sign_of y * nth 0 (eval (literal target2 m 1 M (gate_indicators a b D S) clean S) x) 0.
Proof.
  intros Hm Ha Hab Hd D1 M1 Em W Ho HS L X E Hv Sep Ei Y Bx. apply margin2; auto. eapply Rle_trans; [|exact Em].
  apply (literal_linf_on_ball target2 m D 1 a b delta M clean S x) with (i := i) (c := c); auto.
  intros j k Hk. rewrite E. assert (k = 0)%nat as -> by lia. now apply target2_bound.
Qed.
(** Two labels, l_2. *)
Theorem literal_l2_margin m D a b delta outer M clean (S : data) x i c y v : (1 <= m)%nat -> a < b -> delta ^ 2 + INR D * / 4 ^ (m + 1) <= a -> b <= outer ^ 2 -> 0 < outer ->
  0 <= delta -> 1 <= M -> M ^ 2 * / 4 ^ m <= 1 / 4 -> wf D clean -> length (readout clean) = 1%nat -> (forall c y, In (c, y) S -> length c = D /\ unit c) ->
  length x = D -> unit x -> eval clean x = [v] -> Rabs v + 1 <= M -> (forall j c' y', nth_error S j = Some (c', y') -> j <> i -> (outer + delta) ^ 2 <= d2 c' c) ->
  nth_error S i = Some (c, y) -> (y < 2)%nat -> d2 c x <= delta ^ 2 ->
  3 / 4 <= sign_of y * nth 0 (eval (literal target2 m 1 M (indicators2 m D a b S) clean S) x) 0.
Proof.
  intros Hm Hab Ha Hb Hp Hd M1 Em W Ho HS L U E Hv Sep Ei Y Bx. apply margin2; auto. eapply Rle_trans; [|exact Em].
  apply (literal_l2_on_ball target2 m D 1 a b delta outer M clean S x) with (i := i) (c := c); auto.
  intros j k Hk. rewrite E. assert (k = 0)%nat as -> by lia. now apply target2_bound.
Qed.
