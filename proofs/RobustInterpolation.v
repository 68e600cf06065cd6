(** Gao et al. 2019, Theorem 6.1: a class that interpolates n points of R^d robustly (Definition 6.2, l_2 balls of radius delta > 0,
    centres more than 2 delta apart) has VC dimension at least floor(n/2) d + (n mod 2) ([robust_interpolation_vc]); so at least n d / 2
    for even n ([robust_interpolation_even]) and at least n d / 3 for n >= 2 ([robust_interpolation_omega]): Omega(n d).
    For n = 1 no such constant exists ([one_point]): the two constants interpolate one point robustly, with VC dimension 1.
    The points: for each group g the d points o_g + t e_j; a labelling eps of it is forced by the balls around o_g + t eps, labelled +1,
    and o_g - t eps, labelled -1. *)
From Coq Require Import Reals Lra List Lia Arith Bool.
From CGRO Require Import Networks EuclideanDistance Norms Labellings.
Import ListNotations.
Open Scope R_scope.

(** * the statement's terms *)
Definition l2 : vec -> vec -> R := dist (finite 2).
(** Definition 6.2, for classifiers with labels true = +1 and false = -1 *)
Definition robust_interpolation (d n : nat) (delta : R) (F : (vec -> bool) -> Prop) :=
  forall (x : nat -> vec) (y : nat -> bool), (forall i, (i < n)%nat -> space d (x i)) ->
  (forall i j, (i < n)%nat -> (j < n)%nat -> i <> j -> 2 * delta < l2 (x i) (x j)) ->
  exists f, F f /\ forall i x', (i < n)%nat -> space d x' -> l2 (x i) x' <= delta -> f x' = y i.

(** * sums of squares over coordinates *)
Definition coords (d : nat) (f : nat -> R) : vec := map f (seq 0 d).
Definition total (l : list nat) (h : nat -> R) : R := fold_right (fun i t => h i + t) 0 l.
Lemma coords_space d f : space d (coords d f).
Proof. unfold space, coords. now rewrite map_length, seq_length. Qed.
Lemma d2_coords f g : forall l, d2 (map f l) (map g l) = total l (fun i => (g i - f i) ^ 2).
Proof. induction l as [|i l IH]; cbn [map d2 total fold_right]; [reflexivity|]. unfold total in IH. now rewrite IH. Qed.
Lemma total_ge l h : (forall i, In i l -> 0 <= h i) -> 0 <= total l h.
Proof.
  induction l as [|i l IH]; cbn [total fold_right]; intros H; [lra|]. pose proof (H i (or_introl eq_refl)).
  unfold total in IH. specialize (IH (fun j J => H j (or_intror J))). lra.
Qed.
Lemma total_const l h c : (forall i, In i l -> h i = c) -> total l h = INR (length l) * c.
Proof.
  induction l as [|i l IH]; intros H; [simpl; lra|]. cbn [length]. rewrite S_INR. cbn [total fold_right]. fold (total l h).
  rewrite IH by (intros j J; apply H; now right). rewrite (H i (or_introl eq_refl)). lra.
Qed.
Lemma total_le l h c : (forall i, In i l -> h i <= c) -> total l h <= INR (length l) * c.
Proof.
  induction l as [|i l IH]; intros H; [simpl; lra|]. cbn [length]. rewrite S_INR. cbn [total fold_right]. fold (total l h).
  pose proof (H i (or_introl eq_refl)). specialize (IH (fun j J => H j (or_intror J))). lra.
Qed.
(** one coordinate is 0, the others at most c *)
Lemma total_but_one l h c j : In j l -> h j = 0 -> (forall i, In i l -> h i <= c) -> total l h <= (INR (length l) - 1) * c.
Proof.
  induction l as [|i l IH]; simpl In; intros J E H; [tauto|]. cbn [length]. rewrite S_INR. cbn [total fold_right]. fold (total l h).
  destruct J as [->|J].
  - pose proof (total_le l h c (fun i I => H i (or_intror I))). lra.
  - pose proof (H i (or_introl eq_refl)). specialize (IH J E (fun k K => H k (or_intror K))). lra.
Qed.
(** one coordinate is at most the whole *)
Lemma total_part l h j : In j l -> (forall i, In i l -> 0 <= h i) -> h j <= total l h.
Proof.
  induction l as [|i l IH]; simpl In; intros J H; [tauto|]. cbn [total fold_right]. fold (total l h).
  pose proof (total_ge l h (fun k K => H k (or_intror K))). pose proof (H i (or_introl eq_refl)).
  destruct J as [->|J]; [lra|]. specialize (IH J (fun k K => H k (or_intror K))). lra.
Qed.
Lemma l2_le x x' r : 0 <= r -> d2 x x' <= r ^ 2 -> l2 x x' <= r.
Proof. intros R H. unfold l2. rewrite dist_2, <- (sqrt_pow2 r R). now apply sqrt_le_1_alt. Qed.
Lemma l2_gt x x' r : 0 <= r -> r ^ 2 < d2 x x' -> r < l2 x x'.
Proof. intros R H. unfold l2. rewrite dist_2, <- (sqrt_pow2 r R). apply sqrt_lt_1_alt. split; auto. apply pow2_ge_0. Qed.

(** * points and centres *)
Section Groups.
Variables (d n : nat) (delta : R).
Hypotheses (D1 : (1 <= d)%nat) (Dl : 0 < delta).
(** delta / sqrt d < t <= delta / sqrt (d - 1) *)
Definition arm : R := delta / sqrt (INR d - / 2).
Definition apart : R := 3 * delta + 2 * arm.
Let q := (n / 2)%nat.
(** how many points are shattered *)
Definition shattered_number : nat := (n / 2 * d + n mod 2)%nat.

Lemma d_pos : 1 <= INR d.
Proof. apply (le_INR 1). auto. Qed.
Lemma arm_pos : 0 < arm.
Proof. pose proof d_pos. apply Rdiv_lt_0_compat; auto. apply sqrt_lt_R0. lra. Qed.
Lemma arm_sq : arm ^ 2 * (INR d - / 2) = delta ^ 2.
Proof.
  pose proof d_pos. unfold arm. pose proof (sqrt_sqrt (INR d - / 2) ltac:(lra)) as Q. pose proof (sqrt_lt_R0 (INR d - / 2) ltac:(lra)).
  rewrite <- Q at 2. field. lra.
Qed.
Definition origin (g c : nat) : R := if Nat.eqb c 0 then INR g * apart else 0.
(** point k: coordinate k mod d of group k / d; the last one, for odd n, alone *)
Definition point (k : nat) : vec :=
  if Nat.ltb k (q * d) then coords d (fun c => origin (k / d) c + if Nat.eqb c (k mod d) then arm else 0) else coords d (origin q).
Definition points : list vec := map point (seq 0 shattered_number).

Variable s : list bool. (* a labelling *)
Definition label (g c : nat) : R := if nth (g * d + c) s false then arm else - arm.
Definition shift (i c : nat) : R := if Nat.ltb i (2 * q) then (if Nat.even i then label (i / 2) c else - label (i / 2) c) else 0.
Definition centre (i : nat) : vec := coords d (fun c => origin (i / 2) c + shift i c).
Definition centre_label (i : nat) : bool := if Nat.ltb i (2 * q) then Nat.even i else nth (q * d) s false.

Lemma label_range g c : Rabs (label g c) = arm.
Proof. pose proof arm_pos. unfold label. destruct nth; [|rewrite Rabs_Ropp]; apply Rabs_pos_eq; lra. Qed.
Lemma Rabs_range a b : Rabs a <= b -> - b <= a <= b.
Proof. unfold Rabs. destruct Rcase_abs; lra. Qed.
Lemma shift_range i c : Rabs (shift i c) <= arm.
Proof.
  pose proof arm_pos. unfold shift. destruct Nat.ltb; [|rewrite Rabs_R0; lra].
  destruct Nat.even; rewrite ?Rabs_Ropp, label_range; lra.
Qed.
(** centres of two groups differ by 3 delta in the first coordinate *)
Lemma far_groups i j : (i / 2 <> j / 2)%nat -> 2 * delta < l2 (centre i) (centre j).
Proof.
  intros N. apply l2_gt; [lra|]. unfold centre, coords. rewrite d2_coords.
  pose proof (total_part (seq 0 d) (fun c => (origin (j / 2) c + shift j c - (origin (i / 2) c + shift i c)) ^ 2) 0) as P.
  cbv beta in P. specialize (P ltac:(apply in_seq; lia) ltac:(intros; apply pow2_ge_0)). apply Rlt_le_trans with (2 := P).
  pose proof (shift_range i 0) as A. pose proof (shift_range j 0) as B. apply Rabs_range in A. apply Rabs_range in B.
  unfold origin. cbn [Nat.eqb]. pose proof arm_pos. unfold apart in *. set (L := 3 * delta + 2 * arm) in *.
  assert (0 < L) by (unfold L; lra).
  destruct (Nat.lt_ge_cases (i / 2) (j / 2)) as [G|G].
  - assert (INR (i / 2) + 1 <= INR (j / 2)) by (rewrite <- S_INR; apply le_INR; lia).
    assert (INR (i / 2) * L + L <= INR (j / 2) * L) by nra.
    assert (3 * delta <= INR (j / 2) * L + shift j 0 - (INR (i / 2) * L + shift i 0)) by (unfold L in *; lra). nra.
  - assert (INR (j / 2) + 1 <= INR (i / 2)) by (rewrite <- S_INR; apply le_INR; lia).
    assert (INR (j / 2) * L + L <= INR (i / 2) * L) by nra.
    assert (3 * delta <= - (INR (j / 2) * L + shift j 0 - (INR (i / 2) * L + shift i 0))) by (unfold L in *; lra). nra.
Qed.
(** the two centres of a group are 2 t sqrt d apart *)
Lemma far_pair i j : (i < n)%nat -> (j < n)%nat -> i <> j -> (i / 2 = j / 2)%nat -> 2 * delta < l2 (centre i) (centre j).
Proof.
  intros I J N E. apply l2_gt; [lra|]. unfold centre, coords. rewrite d2_coords.
  pose proof (Nat.div_mod i 2 ltac:(lia)). pose proof (Nat.div_mod j 2 ltac:(lia)). pose proof (Nat.div_mod n 2 ltac:(lia)).
  pose proof (Nat.mod_upper_bound i 2 ltac:(lia)). pose proof (Nat.mod_upper_bound j 2 ltac:(lia)). pose proof (Nat.mod_upper_bound n 2 ltac:(lia)).
  assert (Li : (i < 2 * q)%nat) by (unfold q; lia). assert (Lj : (j < 2 * q)%nat) by (unfold q; lia).
  assert (Ev : Nat.even i = negb (Nat.even j)).
  { destruct (Nat.eq_dec (i mod 2) 0) as [Z|Z].
    - assert (i = 2 * (i / 2))%nat as -> by lia. assert (j = S (2 * (i / 2)))%nat as -> by lia.
      rewrite Nat.even_succ, <- Nat.negb_even, negb_involutive. reflexivity.
    - assert (i = S (2 * (j / 2)))%nat as -> by lia. assert (j = 2 * (j / 2))%nat as Ej by lia. rewrite Ej at 2.
      rewrite Nat.even_succ, <- Nat.negb_even. reflexivity. }
  rewrite (total_const _ _ (4 * arm ^ 2)).
  - rewrite seq_length. pose proof arm_sq. pose proof arm_pos. pose proof d_pos. assert (0 < arm ^ 2) by (apply pow_lt; auto). nra.
  - intros c _. unfold shift. apply Nat.ltb_lt in Li, Lj. rewrite Li, Lj, Ev, E.
    pose proof (label_range (j / 2) c) as A. assert (label (j / 2) c ^ 2 = arm ^ 2) by (rewrite <- A; now rewrite pow2_abs).
    destruct (Nat.even j); simpl negb; nra.
Qed.
Lemma centres_apart i j : (i < n)%nat -> (j < n)%nat -> i <> j -> 2 * delta < l2 (centre i) (centre j).
Proof. intros I J N. destruct (Nat.eq_dec (i / 2) (j / 2)); [now apply far_pair | now apply far_groups]. Qed.

(** a point lies in the ball around the centre of its label *)
Lemma point_in_ball k : (k < shattered_number)%nat ->
  exists i, (i < n)%nat /\ l2 (centre i) (point k) <= delta /\ centre_label i = nth k s false.
Proof.
  intros K. pose proof (Nat.div_mod n 2 ltac:(lia)) as Q. pose proof (Nat.mod_upper_bound n 2 ltac:(lia)). unfold shattered_number in K. fold q in Q, K.
  unfold point. destruct (Nat.ltb_spec k (q * d)) as [L|L].
  - set (g := (k / d)%nat). set (j := (k mod d)%nat). assert (Ek : k = (g * d + j)%nat) by (pose proof (Nat.div_mod k d); unfold g, j; lia).
    assert (Hj : (j < d)%nat) by (apply Nat.mod_upper_bound; lia). assert (G : (g < q)%nat) by (apply Nat.div_lt_upper_bound; lia).
    set (b := nth k s false). exists (2 * g + if b then 0 else 1)%nat.
    assert (Di : ((2 * g + if b then 0 else 1) / 2 = g)%nat).
    { destruct b; [rewrite Nat.add_0_r; rewrite Nat.mul_comm; apply Nat.div_mul; lia|].
      symmetry. apply (Nat.div_unique _ 2 g 1); lia. }
    assert (Lt : ((2 * g + if b then 0 else 1) <? 2 * q)%nat = true) by (apply Nat.ltb_lt; destruct b; lia).
    assert (Ev : Nat.even (2 * g + if b then 0 else 1) = b).
    { destruct b; [rewrite Nat.add_0_r, Nat.even_mul | rewrite Nat.add_1_r, Nat.even_succ, <- Nat.negb_even, Nat.even_mul]; reflexivity. }
    repeat split.
    + apply Nat.ltb_lt in Lt. lia.
    + apply l2_le; [lra|]. unfold centre, coords. rewrite d2_coords.
      apply Rle_trans with ((INR (length (seq 0 d)) - 1) * arm ^ 2).
      * apply (total_but_one _ _ _ j).
        -- apply in_seq. lia.
        -- rewrite Nat.eqb_refl. unfold shift, label. rewrite Lt, Ev, Di, <- Ek. fold b. destruct b; ring.
        -- intros c _. unfold shift. rewrite Lt, Ev, Di. pose proof arm_pos. pose proof (label_range g c) as A.
           assert (label g c ^ 2 = arm ^ 2) by (rewrite <- A; now rewrite pow2_abs).
           assert (P : 0 < arm ^ 2) by (apply pow_lt; auto).
           destruct (Nat.eqb_spec c j) as [->|Nc].
           ++ replace (label g j) with (if b then arm else - arm) by (unfold label; rewrite <- Ek; reflexivity). destruct b; nra.
           ++ destruct b; nra.
      * rewrite seq_length. pose proof arm_sq. assert (0 <= arm ^ 2) by apply pow2_ge_0. nra.
    + unfold centre_label. rewrite Lt. exact Ev.
  - assert (M : (n mod 2 = 1)%nat) by lia. assert (k = q * d)%nat by lia. subst k. exists (2 * q)%nat.
    assert (Di : (2 * q / 2 = q)%nat) by (rewrite Nat.mul_comm; apply Nat.div_mul; lia).
    assert (Lt : (2 * q <? 2 * q)%nat = false) by apply Nat.ltb_irrefl.
    repeat split; [lia | | unfold centre_label; now rewrite Lt].
    apply l2_le; [lra|]. unfold centre, coords. rewrite d2_coords, (total_const _ _ 0); [assert (0 <= delta ^ 2) by apply pow2_ge_0; lra|].
    intros c _. unfold shift. rewrite Lt, Di. ring.
Qed.
End Groups.

Lemma nth_seq (l : list bool) : map (fun k => nth k l false) (seq 0 (length l)) = l.
Proof. induction l as [|b l IH]; simpl; auto. f_equal. rewrite <- seq_shift, map_map. exact IH. Qed.
Theorem robust_interpolation_shatters d n delta F : (1 <= d)%nat -> 0 < delta -> robust_interpolation d n delta F ->
  Forall (space d) (points d n delta) /\ length (points d n delta) = (n / 2 * d + n mod 2)%nat /\ shatters F (points d n delta).
Proof.
  intros D1 Dl R. repeat split.
  - apply Forall_forall. intros x I. apply in_map_iff in I as [k [<- _]]. unfold point. destruct Nat.ltb; apply coords_space.
  - unfold points. now rewrite map_length, seq_length.
  - intros s Hs. unfold points in Hs. rewrite map_length, seq_length in Hs.
    destruct (R (centre d n delta s) (centre_label d n s)) as [f [Ff H]].
    + intros. apply coords_space.
    + intros. apply centres_apart; auto.
    + exists f. split; auto. unfold points. rewrite map_map. transitivity (map (fun k => nth k s false) (seq 0 (length s))); [|apply nth_seq]. rewrite Hs. apply map_ext_in.
      intros k K. apply in_seq in K. destruct (point_in_ball d n delta D1 Dl s k ltac:(lia)) as [i [I [B <-]]].
      apply H; auto. unfold point. destruct Nat.ltb; apply coords_space.
Qed.
(** Theorem 6.1 with its constant, for all n and d >= 1. *)
Theorem robust_interpolation_vc d n delta F k : (1 <= d)%nat -> 0 < delta -> robust_interpolation d n delta F ->
  vc_dimension (space d) F k -> (n / 2 * d + n mod 2 <= k)%nat.
Proof.
  intros D1 Dl R V. destruct (robust_interpolation_shatters d n delta F D1 Dl R) as [S [<- Q]]. now apply (vc_at_least (space d) F).
Qed.
Theorem robust_interpolation_even d n delta F k : (1 <= d)%nat -> 0 < delta -> robust_interpolation d n delta F ->
  vc_dimension (space d) F k -> Nat.Even n -> INR n * INR d / 2 <= INR k.
Proof.
  intros D1 Dl R V [q ->]. pose proof (robust_interpolation_vc _ _ _ _ _ D1 Dl R V) as H.
  replace (2 * q / 2)%nat with q in H by (rewrite Nat.mul_comm, Nat.div_mul; lia).
  assert (q * d <= k)%nat by lia. apply le_INR in H0. rewrite mult_INR in *. simpl (INR 2). lra.
Qed.
(** Omega(n d), n >= 2 *)
Theorem robust_interpolation_omega d n delta F k : (1 <= d)%nat -> 0 < delta -> robust_interpolation d n delta F ->
  vc_dimension (space d) F k -> (2 <= n)%nat -> INR n * INR d / 3 <= INR k.
Proof.
  intros D1 Dl R V N. pose proof (robust_interpolation_vc _ _ _ _ _ D1 Dl R V) as H.
  assert (Q : (n <= 3 * (n / 2))%nat) by (pose proof (Nat.div_mod n 2); pose proof (Nat.mod_upper_bound n 2); lia).
  assert (B : (n * d <= 3 * k)%nat) by nia. apply le_INR in B. rewrite !mult_INR in B. simpl (INR 3) in B. lra.
Qed.
(** Why n >= 2: the class of the two constants. *)
Definition constants (f : vec -> bool) := exists b, forall x, f x = b.
Theorem one_point d delta : robust_interpolation d 1 delta constants /\ vc_dimension (space d) constants 1.
Proof.
  assert (S1 : shatters constants [repeat 0 d]).
  { intros [|b [|]] H; simpl in H; try lia. exists (fun _ => b). split; [now exists b | reflexivity]. }
  split.
  - intros x y _ _. exists (fun _ => y 0%nat). split; [now exists (y 0%nat)|]. intros i x' I _ _. now replace i with 0%nat by lia.
  - split.
    + apply (shattered_growth (space d) constants [repeat 0 d]); auto. constructor; auto. apply repeat_length.
    + intros m G. apply growth_shattered in G as [[|a [|b xs]] [_ [<- S]]]; simpl; try lia. exfalso.
      destruct (S (true :: false :: repeat false (length xs))) as [f [[c Hc] E]]; [simpl; now rewrite repeat_length|].
      simpl in E. rewrite !Hc in E. inversion E. congruence.
Qed.
