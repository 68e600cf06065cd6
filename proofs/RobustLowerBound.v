(** CGRM, Theorem 3.5 = A.6, and CGRO, Theorem 5.3 = D.4, from the VC dimension on: for every l_p, D >= 2 and 2 delta (K - 1) < 1 the
    K^(D-1) points of a grid carry data sets S_phi in [0,1]^D, more than 2 delta apart, separated by x_D = 1/2 (whose f_clean has 2 weights,
    clean error 0 and robust error 1), such that every class of VC dimension at most c K^(D-1), h(mu) h(c) < 2, has for one of them robust
    test error > mu in each of its functions ([lower_bound_grid]; for any packing of the slice: [lower_bound_packing]).
    So where the functions of size M have VC dimension at most a M^q (their Lemma A.7 and the enveloping network give such a bound; it is
    a hypothesis here), each size M <= (c K^(D-1) / a)^(1/q) is too small: exp(Omega(D)) ([exponential_size]).
    The shift epsilon_0 of S_phi must be at most the radius of robustness: the printed (0, 1) allows more. The distribution is uniform on S_phi. *)
From Coq Require Import Reals Lra List Lia Arith Bool FinFun ClassicalDedekindReals.
From CGRO Require Import Logarithms Networks Norms Labellings SauerLemma CountingBound MarginAndBoundary MemorizingClassifiers.
Import ListNotations.
Local Open Scope R_scope.

(** * the data sets S_phi *)
Definition sign (b : bool) : R := if b then 1 else -1.
(** (x, 1/2 + shift phi(x)) with its label phi(x) *)
Fixpoint data_set (shift : R) (P : list vec) (phi : list bool) : list labelled :=
  match P, phi with p :: P', b :: phi' => (p ++ [1 / 2 + shift * sign b], sign b) :: data_set shift P' phi' | _, _ => [] end.
(** the same points moved onto the boundary *)
Definition on_boundary (P : list vec) : list vec := map (fun p => p ++ [1 / 2]) P.
Definition packed (e : exponent) (r : R) (P : list vec) :=
  forall i j, (i < length P)%nat -> (j < length P)%nat -> i <> j -> r < dist e (nth i P []) (nth j P []).

Lemma data_set_length s P : forall phi, length phi = length P -> length (data_set s P phi) = length P.
Proof. induction P as [|p P IH]; intros [|b phi] L; simpl in *; auto; try lia. Qed.
Lemma data_set_in s P : forall phi x y, In (x, y) (data_set s P phi) ->
  exists p b, In p P /\ x = p ++ [1 / 2 + s * sign b] /\ y = sign b.
Proof.
  induction P as [|p P IH]; intros [|b phi] x y I; simpl in I; try tauto. destruct I as [E|I].
  - inversion E; subst. exists p, b. simpl. auto.
  - destruct (IH phi x y I) as [q [c [J H]]]. exists q, c. simpl. auto.
Qed.
Lemma vminus_app u u' : length u = length u' -> forall v v', vminus (u ++ v) (u' ++ v') = vminus u u' ++ vminus v v'.
Proof. revert u'. induction u as [|a u IH]; intros [|a' u'] L v v'; simpl in *; try lia; auto. now rewrite IH by lia. Qed.
(** more coordinates, no smaller norm *)
Lemma norm_app e u v : is_exponent e -> norm e u <= norm e (u ++ v).
Proof.
  intros E. destruct e as [p|]; simpl in *.
  - apply power_le; [apply Rinv_0_lt_compat; lra|]. split; [apply power_sum_ge0|].
    induction u as [|a u IH]; simpl; [apply power_sum_ge0 | lra].
  - induction u as [|a u IH]; simpl; [apply greatest_ge0|]. apply Rmax_lub; [apply Rmax_l | eapply Rle_trans; [exact IH | apply Rmax_r]].
Qed.
Lemma dist_app e p p' a a' : is_exponent e -> length p = length p' -> dist e p p' <= dist e (p ++ [a]) (p' ++ [a']).
Proof. intros E L. unfold dist. rewrite vminus_app by auto. now apply norm_app. Qed.
Lemma dist_last e p a a' : is_exponent e -> dist e (p ++ [a]) (p ++ [a']) = Rabs (a' - a).
Proof.
  intros E. unfold dist. rewrite vminus_app by auto. simpl (vminus [a'] [a]).
  assert (Z : forall q : vec, vminus q q = repeat 0 (length q)) by (induction q as [|x q IH]; simpl; auto; rewrite IH; f_equal; lra).
  rewrite Z, (norm_single e _ (length p)); auto.
  - rewrite app_nth2, repeat_length, Nat.sub_diag by (rewrite repeat_length; lia). reflexivity.
  - rewrite app_length, repeat_length. simpl. lia.
  - intros i N. destruct (Nat.lt_ge_cases i (length p)) as [H|H].
    + rewrite app_nth1 by (now rewrite repeat_length). apply nth_repeat.
    + rewrite app_nth2, repeat_length by (rewrite repeat_length; lia). destruct (i - length p)%nat as [|[|k]] eqn:K; simpl; auto. lia.
Qed.
Lemma nth_data_set s P : forall phi i, length phi = length P -> (i < length P)%nat ->
  fst (nth i (data_set s P phi) ([], 0)) = nth i P [] ++ [1 / 2 + s * sign (nth i phi false)].
Proof. induction P as [|p P IH]; intros [|b phi] [|i] L I; simpl in *; try lia; auto. apply IH; lia. Qed.
(** S_phi is packed as P is. *)
Theorem data_set_packed e r d s P phi : is_exponent e -> Forall (space d) P -> length phi = length P -> packed e r P ->
  packed e r (map fst (data_set s P phi)).
Proof.
  intros E Sp L Pk i j I J N. rewrite map_length, data_set_length in I, J by auto.
  assert (Nth : forall i, (i < length P)%nat -> nth i (map fst (data_set s P phi)) [] = nth i P [] ++ [1 / 2 + s * sign (nth i phi false)]).
  { intros k K. rewrite <- (nth_data_set s P phi k L K). change (@nil R) with (fst ((@nil R, 0) : labelled)) at 1. apply map_nth. }
  rewrite !Nth by auto. rewrite Forall_forall in Sp. eapply Rlt_le_trans; [apply (Pk i j I J N)|]. apply dist_app; auto.
  unfold space in Sp. rewrite (Sp (nth i P [])), (Sp (nth j P [])); auto; now apply nth_In.
Qed.

(** * counting robust errors *)
Definition points_wrong (bad : vec -> R -> Prop) (w : R) (S : list labelled) := mass bad (map (fun s => (w, s)) S).
Section Class.
Variables (e : exponent) (d : nat) (dom : vec -> Prop) (rho shift : R).
Hypotheses (E : is_exponent e) (Sh : 0 < shift <= rho).
(** Where f is robust at (x, 1/2 + shift phi(x)), its sign at (x, 1/2) is phi(x): the labels differ at robust errors alone. *)
Lemma hamming_errors f w P : 0 <= w -> Forall (space d) P -> (forall p, In p P -> dom (p ++ [1 / 2])) -> forall phi, length phi = length P ->
  INR (hamming phi (map (fun x => sgn (f x)) (on_boundary P))) * w <= points_wrong (fooled e (S d) dom rho f) w (data_set shift P phi).
Proof.
  intros W Sp Dm. induction P as [|p P IH]; intros [|b phi] L; simpl in L; try lia; [unfold points_wrong; simpl; lra|].
  inversion Sp as [|? ? Sp1 Sp2]; subst. specialize (IH Sp2 ltac:(intros; apply Dm; now right) phi ltac:(lia)).
  unfold points_wrong in *. simpl. rewrite plus_INR, Rmult_plus_distr_r. apply Rplus_le_compat; [|exact IH].
  destruct sig_not_dec as [N|N]; [destruct eqb; simpl; lra|].
  assert (R : 0 < sign b * f (p ++ [1 / 2])).
  { destruct (Rlt_dec 0 (sign b * f (p ++ [1 / 2]))) as [H|H]; auto. exfalso. apply N. exists (p ++ [1 / 2]). unfold in_reach. repeat split; auto.
    - unfold space in *. rewrite app_length. simpl. lia.
    - apply Dm. now left.
    - rewrite dist_last by auto. destruct b; simpl; [rewrite Rabs_left | rewrite Rabs_pos_eq]; lra. }
  unfold sgn. destruct b, Rlt_dec; simpl in *; lra.
Qed.
Lemma robust_hamming f P phi mu : P <> [] -> Forall (space d) P -> (forall p, In p P -> dom (p ++ [1 / 2])) -> length phi = length P ->
  robust_error e (S d) dom rho f (uniform (data_set shift P phi)) <= mu ->
  INR (hamming phi (map (fun x => sgn (f x)) (on_boundary P))) <= mu * INR (length P).
Proof.
  intros Ne Sp Dm L B. assert (N : 0 < INR (length P)) by (apply lt_0_INR; destruct P; simpl; [congruence | lia]).
  pose proof (hamming_errors f (/ INR (length P)) P ltac:(left; now apply Rinv_0_lt_compat) Sp Dm phi L) as H.
  unfold robust_error, uniform in B. rewrite data_set_length in B by auto. unfold points_wrong in H.
  apply Rmult_le_reg_r with (/ INR (length P)); [now apply Rinv_0_lt_compat|]. rewrite Rmult_assoc, Rinv_r by lra. lra.
Qed.
(** Robust on all but a share mu of every S_phi: VC dimension > c n. *)
Theorem robust_vc (H : (vec -> R) -> Prop) P k mu c : P <> [] -> Forall (space d) P -> (forall p, In p P -> dom (p ++ [1 / 2])) ->
  vc_at_most (space (S d)) (signs H) k -> 0 < mu <= 1 -> 0 < c <= 1 -> h mu * h c < 2 ->
  (forall phi, length phi = length P -> exists f, H f /\ robust_error e (S d) dom rho f (uniform (data_set shift P phi)) <= mu) ->
  c * INR (length P) < INR k.
Proof.
  intros Ne Sp Dm V Mu C Hh Rb. set (r := Z.to_nat (Int_part (mu * INR (length P)))).
  assert (M0 : 0 <= mu * INR (length P)) by (apply Rmult_le_pos; [lra | apply pos_INR]).
  pose proof (base_Int_part (mu * INR (length P))) as [I1 I2].
  assert (Ir : (0 <= Int_part (mu * INR (length P)))%Z) by (assert (-1 < Int_part (mu * INR (length P)))%Z by (apply lt_IZR; lra); lia).
  assert (Er : INR r = IZR (Int_part (mu * INR (length P)))) by (unfold r; rewrite INR_IZR_INZ, Z2Nat.id; auto).
  assert (Lb : length (on_boundary P) = length P) by apply map_length.
  rewrite <- Lb. apply (vc_fraction (space (S d)) (signs H) (on_boundary P) r k mu c); auto.
  - apply Forall_forall. intros x I. apply in_map_iff in I as [p [<- I]]. rewrite Forall_forall in Sp. specialize (Sp p I).
    unfold space in *. rewrite app_length. simpl. lia.
  - intros phi L. rewrite Lb in L. destruct (Rb phi L) as [f [Hf B]]. exists (fun x => sgn (f x)). split; [now exists f|].
    pose proof (robust_hamming f P phi mu Ne Sp Dm L B) as Q. apply INR_le. rewrite Er.
    assert (Z : (Z.of_nat (hamming phi (map (fun x => sgn (f x)) (on_boundary P))) < Int_part (mu * INR (length P)) + 1)%Z).
    { apply lt_IZR. rewrite plus_IZR, <- INR_IZR_INZ. lra. }
    rewrite INR_IZR_INZ. apply IZR_le. lia.
  - destruct P; simpl; congruence.
  - rewrite Lb. lra.
Qed.
(** So some S_phi defeats a class of VC dimension <= c n; phi is found among finitely many. *)
Lemma one_of_finitely_many {A} (Q : A -> Prop) (l : list A) : (exists a, In a l /\ ~ Q a) \/ ~ ~ (forall a, In a l -> Q a).
Proof.
  induction l as [|a l [[b [I N]]|IH]]; [right; intros H; apply H; intros ? [] | left; exists b; split; auto; now right|].
  destruct (sig_not_dec (Q a)) as [N|N]; [|left; exists a; split; auto; now left].
  right. intros H. apply N. intros Qa. apply IH. intros Ql. apply H. intros b [<-|I]; auto.
Qed.
Theorem lower_bound_packing (H : (vec -> R) -> Prop) P k mu c : P <> [] -> Forall (space d) P -> (forall p, In p P -> dom (p ++ [1 / 2])) ->
  vc_at_most (space (S d)) (signs H) k -> 0 < mu <= 1 -> 0 < c <= 1 -> h mu * h c < 2 -> INR k <= c * INR (length P) ->
  exists phi, length phi = length P /\ forall f, H f -> mu < robust_error e (S d) dom rho f (uniform (data_set shift P phi)).
Proof.
  intros Ne Sp Dm V Mu C Hh K.
  destruct (one_of_finitely_many (fun phi => exists f, H f /\ robust_error e (S d) dom rho f (uniform (data_set shift P phi)) <= mu) (vectors (length P))) as [[phi [I N]]|N].
  - exists phi. split; [now apply in_vectors|]. intros f Hf.
    destruct (Rlt_le_dec mu (robust_error e (S d) dom rho f (uniform (data_set shift P phi)))) as [|L]; auto. exfalso. apply N. now exists f.
  - exfalso. apply N. intros Q. pose proof (robust_vc H P k mu c Ne Sp Dm V Mu C Hh) as B. apply (Rle_not_lt _ _ K), B.
    intros phi L. apply Q. now apply in_vectors.
Qed.
End Class.

(** * the grid *)
(** all lists of m digits below K *)
Fixpoint digits (K m : nat) : list (list nat) :=
  match m with O => [[]] | S m' => flat_map (fun i => map (cons i) (digits K m')) (seq 0 K) end.
Lemma digits_length K m : length (digits K m) = (K ^ m)%nat.
Proof.
  induction m; [reflexivity|]. cbn [digits]. rewrite (flat_map_length _ (K ^ m)), seq_length; [simpl; lia|].
  intros i _. now rewrite map_length.
Qed.
Lemma digits_in K m : forall l, In l (digits K m) -> length l = m /\ Forall (fun i => (i < K)%nat) l.
Proof.
  induction m; intros l I; cbn [digits] in I.
  - destruct I as [<-|[]]. auto.
  - apply in_flat_map in I as [i [Hi J]]. apply in_map_iff in J as [l' [<- J]]. apply in_seq in Hi. destruct (IHm l' J). simpl. split; [lia|].
    constructor; auto. lia.
Qed.
Lemma digits_NoDup K m : NoDup (digits K m).
Proof.
  induction m; cbn [digits]; [repeat constructor; auto|].
  assert (G : forall is, NoDup is -> NoDup (flat_map (fun i => map (cons i) (digits K m)) is)); [|apply G, seq_NoDup].
  induction 1 as [|i is N H IH]; simpl; [constructor|]. apply NoDup_app_disjoint; auto; [now apply NoDup_map_cons|].
  intros l I J. apply in_map_iff in I as [l' [<- _]]. apply in_flat_map in J as [j [Hj J]]. apply in_map_iff in J as [l'' [E _]].
  inversion E; subst. auto.
Qed.
(** K points a side, 1/(K - 1) apart, from 0 to 1 *)
Definition grid (K m : nat) : list vec := map (map (fun i => INR i / INR (K - 1))) (digits K m).
Lemma grid_length K m : length (grid K m) = (K ^ m)%nat.
Proof. unfold grid. now rewrite map_length, digits_length. Qed.
Lemma grid_in K m p : (2 <= K)%nat -> In p (grid K m) -> space m p /\ cube p.
Proof.
  intros Hk I. apply in_map_iff in I as [l [<- I]]. destruct (digits_in K m l I) as [L F]. split; [unfold space; now rewrite map_length|].
  assert (D : 0 < INR (K - 1)) by (apply lt_0_INR; lia). apply Forall_forall. intros v J. apply in_map_iff in J as [i [<- J]].
  rewrite Forall_forall in F. specialize (F i J). assert (INR i <= INR (K - 1)) by (apply le_INR; lia). pose proof (pos_INR i). split.
  - apply Rle_mult_inv_pos; auto.
  - apply Rmult_le_reg_r with (INR (K - 1)); auto. unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra.
Qed.
Lemma different_digit : forall l l' : list nat, length l = length l' -> l <> l' -> exists j, nth j l O <> nth j l' O /\ (j < length l)%nat.
Proof.
  induction l as [|a l IH]; intros [|a' l'] L N; simpl in *; try lia; [congruence|].
  destruct (Nat.eq_dec a a') as [->|D]; [|exists O; simpl; split; auto; lia].
  destruct (IH l' ltac:(lia) ltac:(congruence)) as [j [H J]]. exists (S j). simpl. split; auto. lia.
Qed.
Theorem grid_packed e K m delta : is_exponent e -> (2 <= K)%nat -> 2 * delta * INR (K - 1) < 1 -> packed e (2 * delta) (grid K m).
Proof.
  intros E Hk Hd i j I J N. rewrite grid_length in I, J. assert (D : 0 < INR (K - 1)) by (apply lt_0_INR; lia).
  rewrite <- digits_length in I, J. set (g := fun i => INR i / INR (K - 1)).
  assert (Nth : forall i, (i < length (digits K m))%nat -> nth i (grid K m) [] = map g (nth i (digits K m) [])).
  { intros k _. unfold grid. fold g. change (@nil R) with (map g []) at 1. apply map_nth. }
  rewrite !Nth by auto. set (l := nth i (digits K m) []). set (l' := nth j (digits K m) []).
  assert (Il : In l (digits K m)) by (now apply nth_In). assert (Il' : In l' (digits K m)) by (now apply nth_In).
  destruct (digits_in K m l Il) as [L _]. destruct (digits_in K m l' Il') as [L' _].
  assert (Nl : l <> l'). { intros Eq. apply N. apply (proj1 (NoDup_nth (digits K m) []) (digits_NoDup K m) i j I J Eq). }
  destruct (different_digit l l' ltac:(congruence) Nl) as [q [Hq Lq]].
  pose proof (norm_coordinate e (vminus (map g l') (map g l)) q E) as B. rewrite nth_minus in B by (rewrite !map_length; congruence).
  unfold dist. eapply Rlt_le_trans; [|exact B].
  assert (Ng : forall l q, (q < length l)%nat -> nth q (map g l) 0 = g (nth q l O)).
  { intros u k Hk'. rewrite (nth_indep _ 0 (g O)) by (now rewrite map_length). apply map_nth. }
  rewrite !Ng by lia. unfold g. replace (INR (nth q l' 0%nat) / INR (K - 1) - INR (nth q l 0%nat) / INR (K - 1)) with
    ((INR (nth q l' 0%nat) - INR (nth q l 0%nat)) * / INR (K - 1)) by (field; lra).
  rewrite Rabs_mult, (Rabs_pos_eq (/ _)) by (left; now apply Rinv_0_lt_compat).
  assert (One : 1 <= Rabs (INR (nth q l' 0%nat) - INR (nth q l 0%nat))).
  { destruct (Nat.lt_ge_cases (nth q l' 0%nat) (nth q l 0%nat)) as [G|G].
    - assert (Q : INR (nth q l' 0%nat) + 1 <= INR (nth q l 0%nat)) by (rewrite <- S_INR; apply le_INR; lia). rewrite Rabs_left; lra.
    - assert (Q : INR (nth q l 0%nat) + 1 <= INR (nth q l' 0%nat)) by (rewrite <- S_INR; apply le_INR; lia). rewrite Rabs_pos_eq; lra. }
  set (a := Rabs (INR (nth q l' 0%nat) - INR (nth q l 0%nat))) in *. apply Rmult_lt_reg_r with (INR (K - 1)); auto.
  replace (a * / INR (K - 1) * INR (K - 1)) with a by (field; lra). lra.
Qed.

(** * the papers' data: what S_phi satisfies, for every phi *)
Definition last_minus_half (d : nat) : net := Net [] [(repeat 0 d ++ [1], -1 / 2)].
Lemma last_minus_half_value d p a : space d p -> output (last_minus_half d) (p ++ [a]) = a - 1 / 2.
Proof. intros Sp. unfold output, eval, last_minus_half, run. simpl. rewrite dot_skip by auto. simpl. lra. Qed.
Theorem data_set_assumptions e d delta rho shift P phi : is_exponent e -> 0 < shift <= rho -> shift <= 1 / 2 -> P <> [] ->
  Forall (space d) P -> Forall cube P -> packed e (2 * delta) P -> length phi = length P ->
  let S := data_set shift P phi in
  length S = length P /\ Forall (fun s => space (Datatypes.S d) (fst s) /\ cube (fst s) /\ (snd s = 1 \/ snd s = -1)) S /\
  packed e (2 * delta) (map fst S) /\
  clean_error (output (last_minus_half d)) (uniform S) = 0 /\
  robust_error e (Datatypes.S d) cube rho (output (last_minus_half d)) (uniform S) = 1.
Proof.
  intros E Sh Half Ne Sp Cb Pk L S. rewrite Forall_forall in Sp, Cb.
  assert (Pt : forall x y, In (x, y) S -> exists p b, In p P /\ x = p ++ [1 / 2 + shift * sign b] /\ y = sign b) by (intros; eapply data_set_in; eauto).
  repeat split.
  - now apply data_set_length.
  - apply Forall_forall. intros [x y] I. destruct (Pt x y I) as [p [b [J [-> ->]]]]. simpl. repeat split.
    + pose proof (Sp p J). unfold space in *. rewrite app_length. simpl. lia.
    + apply Forall_app. split; [now apply Cb|]. constructor; auto. destruct b; simpl; lra.
    + destruct b; auto.
  - apply data_set_packed with (d := d); auto. now apply Forall_forall.
  - apply mass_none. intros w x y I. apply in_map_iff in I as [[x' y'] [Eq I]]. inversion Eq; subst. destruct (Pt x y I) as [p [b [J [-> ->]]]].
    unfold wrong. rewrite last_minus_half_value by auto. intros N. apply N. destruct b; simpl; lra.
  - assert (All : forall w S', (forall s, In s S' -> In s S) ->
      mass (fooled e (Datatypes.S d) cube rho (output (last_minus_half d))) (map (fun s => (w, s)) S') = w * INR (length S')).
    { intros w. induction S' as [|[x y] S' IH]; intros In_S; [simpl; lra|]. cbn [map mass length]. rewrite S_INR, IH by (intros; apply In_S; now right).
      destruct sig_not_dec as [|N]; [lra|]. exfalso. apply N. destruct (Pt x y (In_S _ (or_introl eq_refl))) as [p [b [J [-> ->]]]].
      exists (p ++ [1 / 2]). unfold in_reach, wrong. rewrite last_minus_half_value by auto. repeat split.
      - pose proof (Sp p J). unfold space in *. rewrite app_length. simpl. lia.
      - apply Forall_app. split; [now apply Cb|]. constructor; auto. lra.
      - rewrite dist_last by auto. destruct b; simpl; [rewrite Rabs_left | rewrite Rabs_pos_eq]; lra.
      - lra. }
    unfold robust_error, uniform. rewrite All by auto. unfold S. rewrite data_set_length by auto. apply Rinv_l. apply not_0_INR. destruct P; simpl; [congruence | lia].
Qed.

(** * the lower bound *)
(** S_phi on the grid is as the papers assume (Assumption 5.1): in [0,1]^D, D = d + 1, classes (and all points) more than 2 delta apart, a
    network with clean error 0 and robust error 1; and each function of the class H has robust test error > mu. *)
Definition hard_data e d K delta rho shift (H : (vec -> R) -> Prop) mu (phi : list bool) := let S := data_set shift (grid K d) phi in
  length S = (K ^ d)%nat /\ Forall (fun s => space (Datatypes.S d) (fst s) /\ cube (fst s) /\ (snd s = 1 \/ snd s = -1)) S /\
  packed e (2 * delta) (map fst S) /\
  clean_error (output (last_minus_half d)) (uniform S) = 0 /\ robust_error e (Datatypes.S d) cube rho (output (last_minus_half d)) (uniform S) = 1 /\
  forall f, H f -> mu < robust_error e (Datatypes.S d) cube rho f (uniform S).
Theorem lower_bound_grid e d K delta rho shift (H : (vec -> R) -> Prop) k mu c : is_exponent e -> (2 <= K)%nat -> 2 * delta * INR (K - 1) < 1 ->
  0 < shift <= rho -> shift <= 1 / 2 -> vc_at_most (space (S d)) (signs H) k -> 0 < mu <= 1 -> 0 < c <= 1 -> h mu * h c < 2 ->
  INR k <= c * INR K ^ d ->
  exists phi, hard_data e d K delta rho shift H mu phi.
Proof.
  intros E Hk Hd Sh Half V Mu C Hh Hk'. assert (Gi := fun p I => grid_in K d p Hk I).
  assert (Ne : grid K d <> []). { intros Z. pose proof (grid_length K d) as L. rewrite Z in L. simpl in L. assert (K ^ d <> 0)%nat by (apply Nat.pow_nonzero; lia). lia. }
  assert (Sp : Forall (space d) (grid K d)) by (apply Forall_forall; intros p I; now apply Gi).
  assert (Cb : Forall cube (grid K d)) by (apply Forall_forall; intros p I; now apply Gi).
  destruct (lower_bound_packing e d cube rho shift E Sh H (grid K d) k mu c Ne Sp) as [phi [L B]]; auto.
  - intros p I. apply Forall_app. split; [now apply Gi|]. constructor; auto. lra.
  - now rewrite grid_length, pow_INR.
  - exists phi. destruct (data_set_assumptions e d delta rho shift (grid K d) phi E Sh Half Ne Sp Cb (grid_packed e K d delta E Hk Hd) L) as [A [A1 [A2 [A3 A4]]]].
    rewrite grid_length in A. repeat split; auto.
Qed.
(** Sizes: functions of size M with VC dimension <= a M^q; D = d + 1. Each M up to exp((log(c/a) + d log K) / q) is too small. *)
Theorem exponential_size e d K delta rho shift (H : nat -> (vec -> R) -> Prop) k a q M mu c : is_exponent e -> (2 <= K)%nat ->
  2 * delta * INR (K - 1) < 1 -> 0 < shift <= rho -> shift <= 1 / 2 ->
  vc_at_most (space (S d)) (signs (H M)) k -> INR k <= a * INR M ^ q -> 0 < a -> (1 <= q)%nat ->
  0 < mu <= 1 -> 0 < c <= 1 -> h mu * h c < 2 ->
  INR M <= exp ((log (c / a) + INR d * log (INR K)) / INR q) ->
  exists phi, hard_data e d K delta rho shift (H M) mu phi.
Proof.
  intros E Hk Hd Sh Half V Vc A Q Mu C Hh B.
  assert (Kd : 0 < INR K) by (apply lt_0_INR; lia). assert (Q0 : 0 < INR q) by (apply lt_0_INR; lia).
  assert (P : INR M ^ q <= c / a * INR K ^ d).
  { eapply Rle_trans; [apply pow_incr; split; [apply pos_INR | exact B]|]. rewrite exp_times.
    replace (INR q * ((log (c / a) + INR d * log (INR K)) / INR q)) with (log (c / a) + INR d * log (INR K)) by (field; lra).
    rewrite exp_plus, exp_log by (apply Rdiv_lt_0_compat; lra). rewrite <- exp_times, exp_log by auto. lra. }
  apply (lower_bound_grid e d K delta rho shift (H M) k mu c); auto.
  assert (T : a * INR M ^ q <= a * (c / a * INR K ^ d)) by (apply Rmult_le_compat_l; lra).
  replace (a * (c / a * INR K ^ d)) with (c * INR K ^ d) in T by (field; lra). lra.
Qed.
