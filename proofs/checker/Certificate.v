(** Certificates: one checker for all kinds of queries, and what its verdicts mean. *)
From Coq Require Import Reals Lra List Lia ZArith Bool.
From CGRO Require Import Networks Bounds Soundness Balls Witnesses Boxes.
Import ListNotations.

Inductive proof :=
  | ByBounds (notes : list (list (option nat) * list fact)) (trees : list tree) (* partners and facts of each hidden layer *)
  | ByPoints (first : Z * Z) (others : list (Z * Z))                            (* (weight, numerator) *)
  | ByBoxes (groups : option (list (list nat))) (t : btree)                     (* groups of outputs; the label against one of each *)
  | Witness (w : Z) (h : list Z).                                               (* the point h / w *)
Record query := Query {
  grid : Z; corners : bounds; ball : option (list Z * Z); (* over 2^grid *)
  label : Z;                                              (* -1, 1, or the number of an output *)
  bound_p : Z; bound_q : Z;                               (* the margin is at least p/q; at a witness, at most *)
  given : proof }.

(** the margin is the least of these sums of the outputs: label * f, or f_y - f_k for k <> y *)
Definition goal_for (y k : nat) : list Z := add (repeat 0%Z y ++ [1%Z]) (repeat 0%Z k ++ [-1]%Z).
Definition goals_of (outputs : nat) (y : Z) : list (list Z) :=
  match outputs with
  | 1%nat => [[y]]
  | _ => map (goal_for (Z.to_nat y)) (filter (fun k => negb (Nat.eqb k (Z.to_nat y))) (seq 0 outputs))
  end.
Definition label_ok (outputs : nat) (y : Z) : bool :=
  match outputs with 1%nat => (y =? 1)%Z || (y =? -1)%Z | _ => (0 <=? y)%Z && (y <? Z.of_nat outputs)%Z end.
Fixpoint same_length {A B} (a : list A) (b : list B) : bool :=
  match a, b with [], [] => true | _ :: a', _ :: b' => same_length a' b' | _, _ => false end.
(** rows are as long as the layer below is wide, the box has one side for each input *)
Definition rows_fit (n : nat) (l : zlayer) : bool := forallb (fun rb => Nat.eqb (length (fst rb)) n) (rows l).
Fixpoint sizes_fit (n : nat) (hid : list zlayer) (out : zlayer) : bool :=
  match hid with [] => rows_fit n out | l :: hid' => rows_fit n l && sizes_fit (length (rows l)) hid' out end.
(** the sum of m_k (f_y - f_k) over a group, and of m_k *)
Fixpoint mixed (y : nat) (group : list nat) (m : list Z) : list Z * Z :=
  match group, m with k :: group', a :: m' => (add (map (Z.mul a) (goal_for y k)) (fst (mixed y group' m')), (a + snd (mixed y group' m'))%Z) | _, _ => ([], 0%Z) end.
Definition other (outputs y k : nat) : bool := Nat.ltb k outputs && negb (Nat.eqb k y).
Definition mix_fits (outputs y : nat) (gm : list nat * list Z) : bool :=
  same_length (fst gm) (snd gm) && forallb (Z.leb 0) (snd gm) && forallb (other outputs y) (fst gm).
Definition box_goals (outputs : nat) (y : Z) (groups : option (list (list nat))) (mixes : list (list Z)) : option (list (list Z * Z)) :=
  match groups, mixes with
  | None, [] => Some (map (fun s => (s, 1%Z)) (goals_of outputs y))
  | Some gs, _ =>
      if Nat.leb 2 outputs && same_length gs mixes && forallb (mix_fits outputs (Z.to_nat y)) (combine gs mixes)
      then Some (map (fun gm => mixed (Z.to_nat y) (fst gm) (snd gm)) (combine gs mixes)) else None
  | _, _ => None
  end.
Definition check_query (hid : list zlayer) (out : zlayer) (q : query) : bool :=
  let goals := goals_of (length (rows out)) (label q) in
  label_ok (length (rows out)) (label q) && sizes_fit (length (corners q)) hid out &&
  match given q with
  | ByBounds notes trees =>
      let annotated := map (fun ln => (fst ln, fst (snd ln), snd (snd ln))) (combine hid notes) in
      same_length hid notes && same_length goals trees && (0 <? bound_p q)%Z &&
      match ball q with
      | None => check annotated out (grid q) (corners q) (bound_p q) (bound_q q) (combine goals trees)
      | Some (c, r) => check_ball annotated out (grid q) (corners q) c r (bound_p q) (bound_q q) (combine goals trees)
      end
  | ByPoints a ps =>
      (0 <? bound_p q)%Z &&
      match corners q with
      | [(lo, hi)] => check_points hid out (grid q) lo hi (bound_p q) (bound_q q) goals a ps
      | _ => false
      end
  | ByBoxes groups t =>
      (0 <=? grid q)%Z && (0 <? bound_p q)%Z && (0 <? bound_q q)%Z && scales_fine hid out &&
      check_boxes (grid q) hid out (bound_p q) (bound_q q) (box_goals (length (rows out)) (label q) groups) (corners q) t
  | Witness w h => (bound_p q <=? 0)%Z && check_refuted hid out (grid q) (corners q) (ball q) (bound_p q) (bound_q q) w h goals
  end.

Open Scope R_scope.
Definition margin_at_least (outputs : nat) (y : Z) (b : R) (f : vec) : Prop :=
  match outputs with
  | 1%nat => b <= IZR y * nth 0 f 0
  | _ => forall k, (k < outputs)%nat -> k <> Z.to_nat y -> b <= nth (Z.to_nat y) f 0 - nth k f 0
  end.
Definition margin_at_most (outputs : nat) (y : Z) (b : R) (f : vec) : Prop :=
  match outputs with
  | 1%nat => IZR y * nth 0 f 0 <= b
  | _ => exists k, (k < outputs)%nat /\ k <> Z.to_nat y /\ nth (Z.to_nat y) f 0 - nth k f 0 <= b
  end.
(** the label's output is larger by b than one of each group *)
Definition beats_groups (groups : list (list nat)) (y : Z) (b : R) (f : vec) : Prop :=
  forall group, In group groups -> exists k, In k group /\ b <= nth (Z.to_nat y) f 0 - nth k f 0.
Definition verdict (hid : list zlayer) (out : zlayer) (q : query) : Prop :=
  let f := eval (net_of hid out) in let n := length (rows out) in
  let X := in_set (grid q) (corners q) (ball q) in let b := IZR (bound_p q) / IZR (bound_q q) in
  sizes_fit (length (corners q)) hid out = true /\
  match given q with
  | Witness _ _ => b <= 0 /\ exists x, X x /\ margin_at_most n (label q) b (f x)
  | ByBoxes (Some groups) _ => 0 < b /\ forall x, X x -> beats_groups groups (label q) b (f x)
  | _ => 0 < b /\ forall x, X x -> margin_at_least n (label q) b (f x)
  end.

Lemma dot_goal y k f : dot (zr (goal_for y k)) f = nth y f 0 - nth k f 0.
Proof. unfold goal_for. rewrite dot_add, !dot_unit. lra. Qed.
Lemma dot_one y f : dot (zr [y]) f = IZR y * nth 0 f 0.
Proof. unfold zr. destruct f; simpl; lra. Qed.
Lemma margin_goals n y b f : (forall s, In s (goals_of n y) -> b <= dot (zr s) f) -> margin_at_least n y b f.
Proof.
  unfold margin_at_least, goals_of. destruct n as [|[|n]]; intros H.
  - intros; lia.
  - specialize (H [y] (or_introl eq_refl)). now rewrite dot_one in H.
  - intros k K N. rewrite <- dot_goal. apply H. apply in_map. apply filter_In. split; [apply in_seq; lia|].
    apply Nat.eqb_neq in N. now rewrite N.
Qed.
Lemma margin_goal n y b f s : In s (goals_of n y) -> dot (zr s) f <= b -> margin_at_most n y b f.
Proof.
  unfold margin_at_most, goals_of. destruct n as [|[|n]]; intros I H.
  - destruct I.
  - destruct I as [<-|[]]. now rewrite dot_one in H.
  - apply in_map_iff in I as [k [<- I]]. apply filter_In in I as [I N]. apply in_seq in I. exists k. rewrite dot_goal in H.
    repeat split; auto; [lia|]. intros ->. now rewrite Nat.eqb_refl in N.
Qed.
Lemma same_length_R {A B} (a : list A) : forall b : list B, same_length a b = true -> length a = length b.
Proof. induction a; intros [|]; simpl; intros; try discriminate; auto. Qed.
Lemma map_combine {A B C} (a : list A) : forall b : list (B * C), length a = length b ->
  map (fun lpf => fst (fst lpf)) (map (fun ln => (fst ln, fst (snd ln), snd (snd ln))) (combine a b)) = a.
Proof. induction a; intros [|]; simpl; intros; try discriminate; auto. f_equal. auto. Qed.
Lemma in_combine_fst {A B} (a : list A) s : forall b : list B, length a = length b -> In s a -> exists t, In (s, t) (combine a b).
Proof. induction a; intros [|t b] L I; simpl in *; try discriminate; [tauto|]. destruct I as [->|I]; [exists t; auto|]. destruct (IHa b) as [u U]; auto. exists u; auto. Qed.

(** a mean of differences is at most the largest *)
Lemma mixed_sound y f b : forall group m, same_length group m = true -> forallb (Z.leb 0) m = true ->
  (0 < snd (mixed y group m))%Z -> b * IZR (snd (mixed y group m)) <= dot (zr (fst (mixed y group m))) f ->
  exists k, In k group /\ b <= nth y f 0 - nth k f 0.
Proof.
  induction group as [|k group IH]; intros [|a m] L N S H; try discriminate; simpl in S.
  cbn [same_length] in L. cbn [forallb] in N. apply andb_prop in N as [A N]. apply Z.leb_le in A.
  cbn [mixed fst snd] in *. rewrite plus_IZR, dot_add, dot_zmul, dot_goal in H. apply IZR_le in A as A'.
  destruct (Rle_or_lt b (nth y f 0 - nth k f 0)) as [B|B]; [exists k; split; [left; reflexivity | exact B]|].
  assert (Hm : b * IZR (snd (mixed y group m)) <= dot (zr (fst (mixed y group m))) f) by nra.
  destruct (Z.leb_spec (snd (mixed y group m)) 0) as [Z0|Z0]; [|destruct (IH m L N Z0 Hm) as [j [J K]]; exists j; split; [now right | auto]].
  exfalso. assert (Z1 : snd (mixed y group m) = 0%Z /\ dot (zr (fst (mixed y group m))) f = 0).
  { clear -N Z0. revert m N Z0. induction group as [|k group IH]; intros [|a m] N Z0; try (split; reflexivity).
    cbn [forallb] in N. apply andb_prop in N as [A N]. apply Z.leb_le in A. cbn [mixed fst snd] in *.
    assert (P0 : forall group m, forallb (Z.leb 0) m = true -> (0 <= snd (mixed y group m))%Z).
    { clear. induction group as [|j group IHg]; intros [|a m] N; simpl; try lia. cbn [forallb] in N. apply andb_prop in N as [A N]. apply Z.leb_le in A. specialize (IHg m N). lia. }
    specialize (P0 group m N). assert (a = 0%Z) by lia. subst. destruct (IH m N ltac:(lia)) as [E F]. rewrite E, dot_add, dot_zmul, F. split; [lia | lra]. }
  destruct Z1 as [E F]. rewrite E, F in H. assert (0 < IZR a) by (apply IZR_lt; lia). nra.
Qed.

Theorem check_query_sound hid out q : check_query hid out q = true -> verdict hid out q.
Proof.
  unfold check_query, verdict. intros H. apply andb_prop in H as [H0 H]. apply andb_prop in H0 as [_ W].
  split; [exact W|]. clear W. destruct (given q) as [notes trees | a ps | groups t | w h].
  - apply andb_prop in H as [H H4]. apply andb_prop in H as [H H3]. apply andb_prop in H as [H1 H2].
    apply same_length_R in H1, H2. apply Z.ltb_lt, IZR_lt in H3.
    set (annotated := map _ (combine hid notes)) in *.
    assert (E : map (fun lpf => fst (fst lpf)) annotated = hid) by now apply map_combine.
    assert (Q : 0 < IZR (bound_q q)).
    { apply IZR_lt. destruct (ball q) as [[c r]|]; unfold check_ball, check, check_on in H4.
      - apply andb_prop in H4 as [_ H4]. apply andb_prop in H4 as [H4 _]. apply andb_prop in H4 as [H4 _].
        apply andb_prop in H4 as [H4 _]. apply andb_prop in H4 as [_ H4]. now apply Z.ltb_lt.
      - apply andb_prop in H4 as [H4 _]. apply andb_prop in H4 as [H4 _].
        apply andb_prop in H4 as [H4 _]. apply andb_prop in H4 as [_ H4]. now apply Z.ltb_lt. }
    split; [now apply Rdiv_lt_0_compat|]. intros x [X Y]. apply margin_goals. intros s I.
    destruct (in_combine_fst _ _ trees H2 I) as [t T]. rewrite <- E.
    destruct (ball q) as [[c r]|]; [eapply check_ball_sound | eapply check_sound]; eauto.
  - apply andb_prop in H as [H1 H2]. apply Z.ltb_lt, IZR_lt in H1. destruct (corners q) as [|[lo hi] [|]] eqn:E; try discriminate.
    assert (Q : 0 < IZR (bound_q q)).
    { apply IZR_lt. unfold check_points in H2. do 5 apply andb_prop in H2 as [H2 _]. apply andb_prop in H2 as [_ H2]. now apply Z.ltb_lt. }
    split; [now apply Rdiv_lt_0_compat|]. intros x [X _]. apply margin_goals. intros s I.
    eapply check_points_sound; eauto.
  - apply andb_prop in H as [H H5]. apply andb_prop in H as [H H4]. apply andb_prop in H as [H H3]. apply andb_prop in H as [H1 H2].
    apply Z.leb_le in H1. apply Z.ltb_lt in H3 as Q. apply Z.ltb_lt, IZR_lt in H2. apply IZR_lt in Q as Q'. apply scales_fine_R in H4.
    set (b := IZR (bound_p q) / IZR (bound_q q)). assert (B : 0 < b) by now apply Rdiv_lt_0_compat.
    pose proof (check_boxes_sound (grid q) H1 hid out _ _ _ H4 Q t _ H5) as T. fold b in T.
    assert (L : forall x, in_set (grid q) (corners q) (ball q) x -> in_box (grid q) (corners q) x) by now intros x [].
    destruct groups as [gs|]; (split; [exact B|]; intros x X; destruct (T x (L x X)) as [mixes [l [E F]]]; unfold box_goals in E).
    + destruct (_ && _) eqn:C in E; [|discriminate]. injection E as <-. apply andb_prop in C as [C C3]. apply andb_prop in C as [C1 C2].
      intros group I. apply same_length_R in C2. destruct (in_combine_fst _ _ mixes C2 I) as [m M].
      rewrite forallb_forall in C3. pose proof (C3 _ M) as Fit. unfold mix_fits in Fit. cbn [fst snd] in Fit.
      apply andb_prop in Fit as [Fit _]. apply andb_prop in Fit as [F1 F2].
      destruct (F (mixed (Z.to_nat (label q)) group m)) as [G1 G2].
      { apply in_map_iff. exists (group, m). auto. }
      eapply mixed_sound; eauto.
    + destruct mixes; [|discriminate]. injection E as <-. apply margin_goals. intros s I.
      destruct (F (s, 1%Z)) as [_ G2]; [apply in_map_iff; exists s; auto|]. cbn [fst snd] in G2. lra.
  - apply andb_prop in H as [H1 H]. apply Z.leb_le, IZR_le in H1.
    assert (Q : 0 < IZR (bound_q q)).
    { unfold check_refuted in H. apply andb_prop in H as [H _]. apply andb_prop in H as [_ H]. now apply IZR_lt, Z.ltb_lt. }
    split.
    + unfold Rdiv. assert (0 < / IZR (bound_q q)) by now apply Rinv_0_lt_compat. nra.
    + destruct (check_refuted_sound _ _ _ _ _ _ _ _ _ _ H) as [x [s [X [I M]]]]. exists x. split; auto. eapply margin_goal; eauto.
Qed.
