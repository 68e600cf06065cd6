(** CGRO, Definitions A.5 and A.6: what a class of functions does to lists of points, its growth function and VC dimension.
    A class is a set F of functions to the two labels, true for +1 and false for -1, on the points with [dom].
    [shattered_growth] and [growth_shattered]: Pi(m) = 2^m just where some m points are shattered; [vc_at_least]: then VC-dim >= m. *)
From Coq Require Import Reals Lra List Lia Arith Bool FinFun.
Import ListNotations.

(** * sets of labellings *)
Section Class.
Context {X : Type}.
Variable (dom : X -> Prop) (F : (X -> bool) -> Prop).
(** (f(x_1), ..., f(x_m)) for some f in F *)
Definition labelling (xs : list X) (s : list bool) := exists f, F f /\ map f xs = s.
Definition shatters (xs : list X) := forall s, length s = length xs -> labelling xs s.
End Class.
(** a set of vectors has n elements *)
Definition counts (P : list bool -> Prop) (n : nat) := exists L, NoDup L /\ (forall s, In s L <-> P s) /\ length L = n.
(** Definition A.5: Pi_F(m) = n, the most labellings of m points of the domain *)
Definition growth {X} (dom : X -> Prop) (F : (X -> bool) -> Prop) (m n : nat) :=
  (exists xs, Forall dom xs /\ length xs = m /\ counts (labelling F xs) n) /\
  (forall xs n', Forall dom xs -> length xs = m -> counts (labelling F xs) n' -> (n' <= n)%nat).
(** Definition A.6: the greatest m with Pi_F(m) = 2^m *)
Definition vc_dimension {X} (dom : X -> Prop) (F : (X -> bool) -> Prop) (k : nat) :=
  growth dom F k (2 ^ k) /\ forall m, growth dom F m (2 ^ m) -> (m <= k)%nat.
(** "and for a class of real functions that of its signs"; a 0 is labelled -1 here *)
Definition sgn (v : R) : bool := if Rlt_dec 0 v then true else false.
Definition signs {X} (H : (X -> R) -> Prop) : (X -> bool) -> Prop := fun g => exists f, H f /\ forall x, g x = sgn (f x).

(** * all vectors of m labels *)
Fixpoint vectors (m : nat) : list (list bool) :=
  match m with O => [[]] | S m' => map (cons true) (vectors m') ++ map (cons false) (vectors m') end.
Lemma vectors_length m : length (vectors m) = (2 ^ m)%nat.
Proof. induction m; simpl; auto. rewrite app_length, !map_length, IHm. lia. Qed.
Lemma in_vectors m : forall s, In s (vectors m) <-> length s = m.
Proof.
  induction m; intros s; simpl.
  - split; [intros [<-|[]]; auto | destruct s; simpl; [auto|lia]].
  - rewrite in_app_iff, !in_map_iff. split.
    + intros [[t [<- I]]|[t [<- I]]]; simpl; f_equal; now apply IHm.
    + destruct s as [|[] t]; simpl; intros H; try lia; [left|right]; exists t; split; auto; apply IHm; lia.
Qed.
Lemma NoDup_map_cons {A} (a : A) L : NoDup L -> NoDup (map (cons a) L).
Proof. intros H. apply Injective_map_NoDup; auto. intros x y E. now inversion E. Qed.
Lemma NoDup_app_disjoint {A} (L M : list A) : NoDup L -> NoDup M -> (forall x, In x L -> ~ In x M) -> NoDup (L ++ M).
Proof.
  induction 1 as [|x L N H IH]; simpl; intros HM D; auto. constructor.
  - rewrite in_app_iff. intros [I|I]; auto. apply (D x); auto.
  - apply IH; auto.
Qed.
Lemma NoDup_vectors m : NoDup (vectors m).
Proof.
  induction m; simpl; [repeat constructor; auto|].
  apply NoDup_app_disjoint; try (now apply NoDup_map_cons).
  intros x I J. apply in_map_iff in I as [t [<- _]]. apply in_map_iff in J as [u [E _]]. inversion E.
Qed.

(** * shattered points and the growth function *)
Section Growth.
Context {X : Type}.
Variable (dom : X -> Prop) (F : (X -> bool) -> Prop).
Lemma labelling_length xs s : labelling F xs s -> length s = length xs.
Proof. intros [f [_ <-]]. apply map_length. Qed.
(** at most 2^m labellings of m points *)
Lemma counts_le xs n : counts (labelling F xs) n -> (n <= 2 ^ length xs)%nat.
Proof.
  intros [L [N [I <-]]]. rewrite <- vectors_length. apply NoDup_incl_length; auto.
  intros s H. apply in_vectors. apply labelling_length. now apply I.
Qed.
Theorem shattered_growth xs : Forall dom xs -> shatters F xs -> growth dom F (length xs) (2 ^ length xs).
Proof.
  intros D S. split.
  - exists xs. repeat split; auto. exists (vectors (length xs)). repeat split; [apply NoDup_vectors | | | apply vectors_length].
    + intros I. apply S. now apply in_vectors.
    + intros I. apply in_vectors. now apply labelling_length.
  - intros ys n _ <- H. now apply counts_le.
Qed.
Theorem growth_shattered m : growth dom F m (2 ^ m) -> exists xs, Forall dom xs /\ length xs = m /\ shatters F xs.
Proof.
  intros [[xs [D [E [L [N [I C]]]]]] _]. exists xs. repeat split; auto. intros s Hs. apply I.
  assert (Inc : incl (vectors (length xs)) L).
  { apply NoDup_length_incl; auto; [rewrite vectors_length, C, E; auto|].
    intros t H. apply in_vectors, labelling_length. now apply I. }
  apply Inc. now apply in_vectors.
Qed.
Theorem vc_at_least xs k : Forall dom xs -> shatters F xs -> vc_dimension dom F k -> (length xs <= k)%nat.
Proof. intros D S [_ H]. apply H. now apply shattered_growth. Qed.
End Growth.
