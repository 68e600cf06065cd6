(** Certificates: one checker for all kinds of queries, and what its verdicts mean. *)
From Coq Require Import Reals Lra List Lia ZArith Bool.
From CGRO Require Import Networks Bounds Soundness Balls Witnesses.
Import ListNotations.

Inductive proof :=
  | ByBounds (notes : list (list (option nat) * list fact)) (trees : list tree) (* partners and facts of each hidden layer *)
  | ByPoints (first : Z * Z) (others : list (Z * Z))                            (* (weight, numerator) *)
  | Witness (w : Z) (h : list Z).                                               (* the point h / w *)
Record query := Query {
  grid : Z; corners : bounds; ball : option (list Z * Z); (* over 2^grid *)
  label : Z;                                              (* -1, 1, or the number of an output *)
  bound_p : Z; bound_q : Z;                               (* the margin is at least p/q *)
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
  | Witness w h => check_refuted hid out (grid q) (corners q) (ball q) w h goals
  end.

Open Scope R_scope.
Definition margin_at_least (outputs : nat) (y : Z) (b : R) (f : vec) : Prop :=
  match outputs with
  | 1%nat => b <= IZR y * nth 0 f 0
  | _ => forall k, (k < outputs)%nat -> k <> Z.to_nat y -> b <= nth (Z.to_nat y) f 0 - nth k f 0
  end.
Definition margin_not_positive (outputs : nat) (y : Z) (f : vec) : Prop :=
  match outputs with
  | 1%nat => IZR y * nth 0 f 0 <= 0
  | _ => exists k, (k < outputs)%nat /\ k <> Z.to_nat y /\ nth (Z.to_nat y) f 0 - nth k f 0 <= 0
  end.
Definition verdict (hid : list zlayer) (out : zlayer) (q : query) : Prop :=
  let f := eval (net_of hid out) in let n := length (rows out) in
  let X := in_set (grid q) (corners q) (ball q) in
  sizes_fit (length (corners q)) hid out = true /\
  match given q with
  | Witness _ _ => exists x, X x /\ margin_not_positive n (label q) (f x)
  | _ => 0 < IZR (bound_p q) / IZR (bound_q q) /\ forall x, X x -> margin_at_least n (label q) (IZR (bound_p q) / IZR (bound_q q)) (f x)
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
Lemma margin_goal n y f s : In s (goals_of n y) -> dot (zr s) f <= 0 -> margin_not_positive n y f.
Proof.
  unfold margin_not_positive, goals_of. destruct n as [|[|n]]; intros I H.
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

Theorem check_query_sound hid out q : check_query hid out q = true -> verdict hid out q.
Proof.
  unfold check_query, verdict. intros H. apply andb_prop in H as [H0 H]. apply andb_prop in H0 as [_ W].
  split; [exact W|]. clear W. destruct (given q) as [notes trees | a ps | w h].
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
  - destruct (check_refuted_sound _ _ _ _ _ _ _ _ H) as [x [s [X [I M]]]]. exists x. split; auto. eapply margin_goal; eauto.
Qed.
