(** Many balls at once: an l_inf ball around each point has its label, by intervals through a network of sparse rows. Of the
    first two layers only what is asked for is computed, so that N balls cost N^2 rows, not N^2 D. *)
From Coq Require Import Reals Lra List Lia ZArith Bool.
From CGRO Require Import Networks Bounds Soundness Balls Witnesses Boxes Certificate.
Import ListNotations.

(** * the program: a row starts at a column, counted from the start of the row before it, or from 0 (fresh); weights over
    2^shift, biases, inputs and values over 2^g *)
Section Program.
Open Scope Z_scope.
Record srow := SRow { fresh : bool; skip : nat; weights : list Z; bias : Z }.
Record slayer := SLayer { srows : list srow; shift : Z }.
(** the least and the greatest of a sum of w_j x_j over intervals *)
Fixpoint span (w : list Z) (b : bounds) (lo hi : Z) : Z * Z :=
  match w, b with
  | a :: w', (l, h) :: b' => if a <? 0 then span w' b' (lo + a * h) (hi + a * l) else span w' b' (lo + a * l) (hi + a * h)
  | _, _ => (lo, hi)
  end.
Definition row_bounds (cut : bool) (c : Z) (r : srow) (cur : bounds) : Z * Z :=
  let (lo, hi) := span (weights r) cur 0 0 in
  let lo := shr lo c + bias r in let hi := bias r - shr (- hi) c in
  if cut then (Z.max 0 lo, Z.max 0 hi) else (lo, hi).
Fixpoint sweep (cut : bool) (c : Z) (all cur : bounds) (rs : list srow) (done : bounds) : bounds :=
  match rs with
  | [] => rev' done
  | r :: rs' => let cur' := skipn (skip r) (if fresh r then all else cur) in
                sweep cut c all cur' rs' (row_bounds cut c r cur' :: done)
  end.
Definition on_rows (cut : bool) (l : slayer) (b : bounds) : bounds := sweep cut (shift l) b b (srows l) [].
Definition ball_box (g r : Z) (c : list Z) : bounds := map (fun v => (Z.max 0 (v - r), Z.min (shl 1 g) (v + r))) c.
Definition outputs_in (hid : list slayer) (out : slayer) (b : bounds) : bounds := on_rows false out (fold_left (fun b l => on_rows true l b) hid b).
(** the margin is at least p/q *)
Definition margin_ok (g p q : Z) (y : Z) (o : bounds) : bool :=
  match o with
  | [lh] => shl p g <=? q * (if y =? 1 then fst lh else - snd lh)
  | _ => forallb (fun k => Nat.eqb k (Z.to_nat y) || (shl p g <=? q * (fst (nthb (Z.to_nat y) o) - snd (nthb k o)))) (seq 0 (length o))
  end.
Fixpoint rows_in (n s : nat) (rs : list srow) : bool :=
  match rs with
  | [] => true
  | r :: rs' => let s' := ((if fresh r then O else s) + skip r)%nat in Nat.leb (s' + length (weights r)) n && rows_in n s' rs'
  end.
Fixpoint sizes_in (n : nat) (hid : list slayer) (out : slayer) : bool :=
  match hid with [] => rows_in n 0 (srows out) | l :: hid' => rows_in n 0 (srows l) && sizes_in (length (srows l)) hid' out end.
(** What is to be computed of a row of the second layer: all it reads; the k-th unit it reads alone, where no weight is > 0;
    or nothing, likewise. *)
Inductive want := Whole | One (k : nat) | Free.
Record target := Target { down : bool; own : srow; reads : list srow }. (* reads: rows of the first layer, from the first that is read *)
Fixpoint aim (all cur : list srow) (rs : list srow) : list target :=
  match rs with
  | [] => []
  | r :: rs' => let cur' := skipn (skip r) (if fresh r then all else cur) in
                Target (forallb (fun w => w <=? 0) (weights r)) r cur' :: aim all cur' rs'
  end.
Definition first_row (c : Z) (b : bounds) (r : srow) : Z * Z := row_bounds true c r (skipn (skip r) b).
Definition whole (c1 c2 : Z) (b : bounds) (t : target) : Z * Z :=
  row_bounds true c2 (own t) (map (first_row c1 b) (firstn (length (weights (own t))) (reads t))).
Definition meets (c1 c2 : Z) (b : bounds) (t : target) (w : want) : Z * Z :=
  let r := own t in
  match w with
  | Whole => whole c1 c2 b t
  | Free => if down t then (0, Z.max 0 (bias r)) else whole c1 c2 b t
  | One k =>
      match nth_error (reads t) k with
      | Some r1 => if down t then (0, Z.max 0 (bias r - shr (- (nthz k (weights r) * fst (first_row c1 b r1))) c2)) else whole c1 c2 b t
      | None => whole c1 c2 b t
      end
  end.
Fixpoint meet_all (c1 c2 : Z) (b : bounds) (ts : list target) (ws : list want) : bounds :=
  match ts with [] => [] | t :: ts' => meets c1 c2 b t (hd Whole ws) :: meet_all c1 c2 b ts' (tl ws) end.
(** data: centre, label and wants of each ball *)
Definition check_memorized (g : Z) (hid : list slayer) (out : slayer) (d : nat) (r p q : Z) (data : list (list Z * Z * list want)) : bool :=
  (0 <=? g) && (0 <? q) && forallb (fun l => 0 <=? shift l) (out :: hid) && sizes_in d hid out &&
  match hid with
  | l1 :: l2 :: hid' =>
      forallb fresh (srows l1) &&
      (let ts := aim (srows l1) (srows l1) (srows l2) in
       forallb (fun cyw => let '(c, y, ws) := cyw in
                  Nat.eqb (length c) d && label_ok (length (srows out)) y &&
                  margin_ok g p q y (outputs_in hid' out (meet_all (shift l1) (shift l2) (ball_box g r c) ts ws))) data)
  | _ => false
  end.
End Program.

(** * what is meant *)
Open Scope R_scope.
Fixpoint rows_of (g c : Z) (s : nat) (rs : list srow) : layer :=
  match rs with
  | [] => []
  | r :: rs' => let s' := ((if fresh r then O else s) + skip r)%nat in
                (repeat 0 s' ++ map (fun w => IZR w / P c) (weights r), IZR (bias r) / P g) :: rows_of g c s' rs'
  end.
Definition slayer_of (g : Z) (l : slayer) : layer := rows_of g (shift l) 0 (srows l).
Definition snet_of (g : Z) (hid : list slayer) (out : slayer) : net := Net (map (slayer_of g) hid) (slayer_of g out).
Definition in_ball01 (g r : Z) (c : list Z) (x : vec) :=
  Forall2 (fun a v => 0 <= v <= 1 /\ Rabs (v - IZR a / P g) <= IZR r / P g) c x.

(** * soundness *)
Lemma span_sound b t : within b t -> forall w lo hi u, IZR lo <= u <= IZR hi ->
  IZR (fst (span w b lo hi)) <= u + dot (zr w) t <= IZR (snd (span w b lo hi)).
Proof.
  unfold zr. induction 1 as [|[l h] v b t I W IH]; intros [|a w] lo hi u U; cbn [span map dot fst snd]; try lra.
  unfold inz in I; cbn [fst snd] in I. rewrite <- Rplus_assoc.
  destruct (Z.ltb_spec a 0) as [A|A]; [apply IZR_lt in A | apply IZR_le in A]; apply IH; rewrite !plus_IZR, !mult_IZR; nra.
Qed.
Definition affine_at (g c : Z) (r : srow) (t : vec) : R := dot (zr (weights r)) t / P c + IZR (bias r).
Lemma row_bounds_sound g (cut : bool) c r b t : (0 <= c)%Z -> within b t ->
  inz (row_bounds cut c r b) (if cut then relu (affine_at g c r t) else affine_at g c r t).
Proof.
  intros C W. unfold row_bounds. pose proof (span_sound b t W (weights r) 0 0 0 ltac:(lra)) as S.
  destruct (span (weights r) b 0 0) as [lo hi]. cbn [fst snd] in S. rewrite Rplus_0_l in S. pose proof (P_pos c C) as Q.
  pose proof (IZR_shr lo c C) as L. pose proof (IZR_shr (- hi) c C) as H. rewrite opp_IZR in H.
  set (v := affine_at g c r t). assert (A : IZR (shr lo c + bias r) <= v <= IZR (bias r - shr (- hi) c)).
  { unfold v, affine_at. rewrite plus_IZR, minus_IZR. set (d := dot (zr (weights r)) t) in *.
    assert (0 < / P c) by now apply Rinv_0_lt_compat. assert (IZR lo / P c <= d / P c <= IZR hi / P c) by (unfold Rdiv; split; apply Rmult_le_compat_r; lra).
    unfold Rdiv in *. lra. }
  destruct cut; unfold inz; cbn [fst snd]; auto. split.
  - apply max_le; [apply relu_ge0 | unfold relu; eapply Rle_trans; [apply A | apply Rmax_r]].
  - destruct (relu_cases v) as [[K E]|[K E]]; rewrite E; [eapply Rle_trans; [apply A|]|]; apply IZR_le; lia.
Qed.
Fixpoint swept (cut : bool) (c : Z) (all cur : bounds) (rs : list srow) : bounds :=
  match rs with
  | [] => []
  | r :: rs' => let cur' := skipn (skip r) (if fresh r then all else cur) in row_bounds cut c r cur' :: swept cut c all cur' rs'
  end.
Lemma sweep_swept cut c all rs : forall cur done, sweep cut c all cur rs done = rev done ++ swept cut c all cur rs.
Proof.
  induction rs as [|r rs IH]; intros cur done; cbn [sweep swept].
  - rewrite app_nil_r. unfold rev'. now rewrite <- rev_alt.
  - rewrite IH. simpl. now rewrite <- app_assoc.
Qed.
Lemma within_skip k : forall b t, within b t -> within (skipn k b) (skipn k t).
Proof. induction k; intros b t W; simpl; auto. destruct W; [constructor | apply IHk; auto]. Qed.
Lemma dot_from s : forall w t, dot (repeat 0 s ++ w) t = dot w (skipn s t).
Proof. induction s; intros w t; [reflexivity|]. destruct t as [|v t]; simpl; [now rewrite dot_nil_r|]. rewrite IHs. lra. Qed.
Lemma skipn_more a b : forall t : vec, skipn a (skipn b t) = skipn (b + a) t.
Proof. induction b; intros t; [reflexivity|]. destruct t; simpl; [now rewrite skipn_nil | apply IHb]. Qed.
Lemma row_scaled g c w b s t : (0 <= g)%Z -> (0 <= c)%Z ->
  P g * (dot (repeat 0 s ++ map (fun w => IZR w / P c) w) t + IZR b / P g) = dot (zr w) (skipn s (vscale (P g) t)) / P c + IZR b.
Proof.
  intros G C. pose proof (P_pos g G) as Q. pose proof (P_pos c C) as Qc. rewrite dot_from.
  replace (skipn s (vscale (P g) t)) with (vscale (P g) (skipn s t)) by (unfold vscale; symmetry; apply skipn_map).
  rewrite dot_scale_r.
  replace (dot (map (fun w => IZR w / P c) w) (skipn s t)) with (dot (zr w) (skipn s t) / P c); [field; lra|].
  unfold zr, Rdiv. generalize (skipn s t). induction w; intros [|v u]; simpl; try lra. rewrite <- IHw. lra.
Qed.
Lemma swept_sound g (cut : bool) c all t : (0 <= g)%Z -> (0 <= c)%Z -> within all (vscale (P g) t) -> forall rs s cur,
  within cur (skipn s (vscale (P g) t)) ->
  within (swept cut c all cur rs) (vscale (P g) (map (if cut then relu else fun v => v) (affine (rows_of g c s rs) t))).
Proof.
  intros G C W. pose proof (P_pos g G) as Q. induction rs as [|r rs IH]; intros s cur K; [constructor|].
  cbn [swept rows_of affine map vscale]. set (s' := ((if fresh r then O else s) + skip r)%nat).
  assert (K' : within (skipn (skip r) (if fresh r then all else cur)) (skipn s' (vscale (P g) t))).
  { unfold s'. destruct (fresh r); [apply within_skip; exact W|]. rewrite <- skipn_more. now apply within_skip. }
  constructor; [|apply IH; exact K'].
  pose proof (row_bounds_sound g cut c r _ _ C K') as B. cbn [fst snd].
  set (v := dot _ t + _). assert (E : P g * v = affine_at g c r (skipn s' (vscale (P g) t))) by (unfold v, affine_at; now apply row_scaled).
  rewrite <- E in B. destruct cut; [rewrite relu_scale in B by lra|]; exact B.
Qed.
Lemma on_rows_sound g (cut : bool) l b t : (0 <= g)%Z -> (0 <= shift l)%Z -> within b (vscale (P g) t) ->
  within (on_rows cut l b) (vscale (P g) (map (if cut then relu else fun v => v) (affine (slayer_of g l) t))).
Proof.
  intros G C W. unfold on_rows. rewrite sweep_swept. simpl app. now apply swept_sound.
Qed.
Lemma outputs_in_sound g hid out : (0 <= g)%Z -> (0 <= shift out)%Z -> Forall (fun l => 0 <= shift l)%Z hid -> forall b x, within b (vscale (P g) x) ->
  within (outputs_in hid out b) (vscale (P g) (eval (snet_of g hid out) x)).
Proof.
  intros G So Sh. unfold outputs_in, eval, snet_of. cbn [hidden readout]. induction Sh as [|l hid Sl Sh IH]; intros b x W.
  - cbn [fold_left map]. pose proof (on_rows_sound g false out b x G So W) as H. now rewrite map_id in H.
  - cbn [fold_left map]. apply IH. exact (on_rows_sound g true l b x G Sl W).
Qed.
Lemma ball_box_sound g r c x : (0 <= g)%Z -> in_ball01 g r c x -> within (ball_box g r c) (vscale (P g) x).
Proof.
  intros G. pose proof (P_pos g G) as Q. unfold ball_box, vscale. induction 1 as [|a v c x [A B] F IH]; cbn [map]; constructor; auto.
  unfold inz; cbn [fst snd]. assert (K : P g * Rabs (v - IZR a / P g) <= IZR r).
  { replace (IZR r) with (P g * (IZR r / P g)) by (field; lra). apply Rmult_le_compat_l; lra. }
  assert (E : P g * (v - IZR a / P g) = P g * v - IZR a) by (field; lra).
  assert (- IZR r <= P g * v - IZR a <= IZR r).
  { rewrite <- E. replace (P g * Rabs (v - IZR a / P g)) with (Rabs (P g * (v - IZR a / P g))) in K by (rewrite Rabs_mult, (Rabs_right (P g)); lra).
    revert K. unfold Rabs. destruct Rcase_abs; lra. }
  split.
  - apply max_le; [nra | rewrite minus_IZR; lra].
  - apply min_ge; [rewrite IZR_shl; nra | rewrite plus_IZR; lra].
Qed.
Lemma rows_of_length g c rs : forall s, length (rows_of g c s rs) = length rs.
Proof. induction rs; intros; simpl; auto. Qed.
Lemma nth_scaled g f k : nth k (vscale (P g) f) 0 = P g * nth k f 0.
Proof. unfold vscale. rewrite <- (Rmult_0_r (P g)) at 1. apply map_nth. Qed.
Lemma margin_ok_sound g p q y o f : (0 <= g)%Z -> (0 < q)%Z -> label_ok (length f) y = true -> within o (vscale (P g) f) -> margin_ok g p q y o = true ->
  margin_at_least (length f) y (IZR p / IZR q) f.
Proof.
  intros G Q Y W H. pose proof (P_pos g G) as PG. apply IZR_lt in Q. assert (L : length o = length f).
  { clear -W. unfold vscale in W. remember (map (Rmult (P g)) f) as z. revert f Heqz. induction W; intros [|u f] E; try discriminate; auto. simpl. f_equal. injection E as _ E. auto. }
  assert (B : forall k, inz (nthb k o) (P g * nth k f 0)) by (intros k; rewrite <- nth_scaled; now apply nth_within).
  assert (Rat : forall v t, (shl p g <= q * v)%Z -> IZR v <= P g * t -> IZR p / IZR q <= t).
  { intros v t V T. apply IZR_le in V. rewrite IZR_shl, mult_IZR in V. apply Rmult_le_reg_r with (IZR q * P g); [nra|].
    replace (IZR p / IZR q * (IZR q * P g)) with (IZR p * P g) by (field; lra). nra. }
  unfold margin_at_least, margin_ok in *. destruct o as [|lh [|lh' o]].
  - destruct f; [|discriminate L]. intros; simpl in *; lia.
  - destruct f as [|v [|]]; try discriminate L. cbn [length] in *. specialize (B O). unfold nthb in B; cbn [nth] in *. destruct B as [B1 B2]. apply Z.leb_le in H.
    unfold label_ok in Y. apply orb_prop in Y as [Y|Y]; apply Z.eqb_eq in Y; subst y; cbn in H.
    + apply (Rat _ _ H). lra.
    + apply (Rat _ _ H). rewrite opp_IZR. lra.
  - rewrite L in H. destruct f as [|v [|v' f]]; try discriminate L. set (n := length (v :: v' :: f)) in *. change (forall k : nat, (k < n)%nat -> k <> Z.to_nat y ->
      IZR p / IZR q <= nth (Z.to_nat y) (v :: v' :: f) 0 - nth k (v :: v' :: f) 0).
    intros k K N. rewrite forallb_forall in H. specialize (H k ltac:(apply in_seq; lia)). apply orb_prop in H as [H|H]; [now apply Nat.eqb_eq in H|].
    apply Z.leb_le in H. apply (Rat _ _ H). rewrite minus_IZR. pose proof (B (Z.to_nat y)) as [B1 _]. pose proof (B k) as [_ B2]. lra.
Qed.
(** the first two layers *)
Definition unit_at (g c : Z) (X : vec) (r : srow) : R := relu (affine_at g c r (skipn (skip r) X)).
Lemma rows_of_fresh g c x : (0 <= g)%Z -> (0 <= c)%Z -> forall rs s, forallb fresh rs = true ->
  vscale (P g) (map relu (affine (rows_of g c s rs) x)) = map (unit_at g c (vscale (P g) x)) rs.
Proof.
  intros G C. pose proof (P_pos g G) as Q. induction rs as [|r rs IH]; intros s F; [reflexivity|].
  cbn [forallb] in F. apply andb_prop in F as [F F']. cbn [rows_of affine map vscale fst snd]. rewrite F. cbn [Nat.add].
  f_equal; [|exact (IH (skip r) F')]. unfold unit_at. rewrite <- relu_scale by lra. f_equal. unfold affine_at. now apply row_scaled.
Qed.
Lemma dot_firstn w : forall t, dot (zr w) (firstn (length w) t) = dot (zr w) t.
Proof. unfold zr. induction w as [|a w IH]; intros [|v t]; simpl; auto. now rewrite IH. Qed.
Lemma dot_down w : forallb (fun w => w <=? 0)%Z w = true -> forall t, Forall (Rle 0) t -> dot (zr w) t <= 0.
Proof.
  unfold zr. induction w as [|a w IH]; intros H [|v t] F; simpl; try lra. cbn [forallb] in H. apply andb_prop in H as [A H]. apply Z.leb_le, IZR_le in A.
  inversion F; subst. specialize (IH H t H3). nra.
Qed.
Lemma dot_down_one w : forallb (fun w => w <=? 0)%Z w = true -> forall t k, Forall (Rle 0) t -> dot (zr w) t <= IZR (nthz k w) * nth k t 0.
Proof.
  intros H t k F. unfold nthz. revert t k H F. induction w as [|a w IH]; intros [|v t] [|k] H F; simpl nth; try (simpl; lra).
  - cbn [forallb] in H. apply andb_prop in H as [A H]. inversion F; subst. pose proof (dot_down w H t H3). unfold zr in *; simpl. lra.
  - cbn [forallb] in H. apply andb_prop in H as [A H]. apply Z.leb_le, IZR_le in A. inversion F; subst. specialize (IH t k H H3). unfold zr in *; simpl. nra.
Qed.
Lemma first_row_sound g c b X r : (0 <= c)%Z -> within b X -> inz (first_row c b r) (unit_at g c X r).
Proof. intros C W. exact (row_bounds_sound g true c r _ _ C (within_skip (skip r) b X W)). Qed.
Lemma meets_sound g c1 c2 b X r cur w : (0 <= c1)%Z -> (0 <= c2)%Z -> within b X ->
  inz (meets c1 c2 b (Target (forallb (fun w => w <=? 0)%Z (weights r)) r cur) w) (relu (affine_at g c2 r (map (unit_at g c1 X) cur))).
Proof.
  intros C1 C2 W. pose proof (P_pos c2 C2) as Q. assert (Qi : 0 < / P c2) by now apply Rinv_0_lt_compat.
  set (h := map (unit_at g c1 X) cur). assert (Pos : Forall (Rle 0) h).
  { unfold h. apply Forall_forall. intros v I. apply in_map_iff in I as [? [<- _]]. apply relu_ge0. }
  assert (A : inz (row_bounds true c2 r (map (first_row c1 b) (firstn (length (weights r)) cur))) (relu (affine_at g c2 r h))).
  { replace (affine_at g c2 r h) with (affine_at g c2 r (firstn (length (weights r)) h)) by (unfold affine_at; now rewrite dot_firstn).
    apply (row_bounds_sound g true); auto. unfold h. rewrite firstn_map. generalize (firstn (length (weights r)) cur). intros l.
    induction l; simpl; constructor; auto. now apply first_row_sound. }
  assert (Up : forall v, affine_at g c2 r h <= IZR v -> inz (0%Z, Z.max 0 v) (relu (affine_at g c2 r h))).
  { intros v V. split; cbn [fst snd]; [apply relu_ge0|]. destruct (relu_cases (affine_at g c2 r h)) as [[K E]|[K E]]; rewrite E; [eapply Rle_trans; [exact V|]|]; apply IZR_le; lia. }
  unfold meets, whole. cbn [own reads down]. destruct w as [|k|]; auto.
  - destruct (nth_error cur k) as [r1|] eqn:N; auto. destruct (forallb _ (weights r)) eqn:D; auto. apply Up.
    pose proof (dot_down_one _ D h k Pos) as B. assert (E : nth k h 0 = unit_at g c1 X r1).
    { unfold h. erewrite nth_indep with (d' := unit_at g c1 X r1); [rewrite map_nth; f_equal; now apply nth_error_nth|].
      rewrite map_length. apply nth_error_Some. now rewrite N. }
    rewrite E in B. pose proof (first_row_sound g c1 b X r1 C1 W) as [F _].
    assert (Nk : IZR (nthz k (weights r)) <= 0).
    { unfold nthz. apply IZR_le. rewrite forallb_forall in D. destruct (nth_in_or_default k (weights r) 0%Z) as [I| ->]; [now apply Z.leb_le, D | lia]. }
    unfold affine_at. rewrite minus_IZR. pose proof (IZR_shr (- (nthz k (weights r) * fst (first_row c1 b r1))) c2 C2) as S.
    rewrite opp_IZR, mult_IZR in S. unfold Rdiv in *. set (u := unit_at g c1 X r1) in *. set (lo := IZR (fst _)) in *. set (m := IZR (nthz k _)) in *.
    assert (dot (zr (weights r)) h * / P c2 <= m * lo * / P c2) by (apply Rmult_le_compat_r; nra). lra.
  - destruct (forallb _ (weights r)) eqn:D; auto. apply Up. pose proof (dot_down _ D h Pos). unfold affine_at, Rdiv. nra.
Qed.
Lemma meet_all_sound g c1 c2 b X all : (0 <= g)%Z -> (0 <= c1)%Z -> (0 <= c2)%Z -> within b X -> forall rs s ws t,
  vscale (P g) t = map (unit_at g c1 X) all ->
  within (meet_all c1 c2 b (aim all (skipn s all) rs) ws) (vscale (P g) (map relu (affine (rows_of g c2 s rs) t))).
Proof.
  intros G C1 C2 W. pose proof (P_pos g G) as Q. induction rs as [|r rs IH]; intros s ws t E; [constructor|].
  cbn [aim meet_all rows_of affine map vscale fst snd]. set (s' := ((if fresh r then O else s) + skip r)%nat).
  assert (K : skipn (skip r) (if fresh r then all else skipn s all) = skipn s' all).
  { unfold s'. destruct (fresh r); [reflexivity|]. clear. revert s. induction s as [|s IH] in all |- *; [reflexivity|]. destruct all; simpl; [now rewrite skipn_nil | apply IH]. }
  rewrite K. constructor; [|apply IH; exact E].
  rewrite <- relu_scale, row_scaled by (auto; lra). rewrite E, skipn_map. now apply meets_sound.
Qed.
Theorem check_memorized_sound g hid out d r p q data : check_memorized g hid out d r p q data = true ->
  sizes_in d hid out = true /\ forall c y ws x, In (c, y, ws) data -> in_ball01 g r c x ->
  margin_at_least (length (srows out)) y (IZR p / IZR q) (eval (snet_of g hid out) x).
Proof.
  unfold check_memorized. intros H. apply andb_prop in H as [H H5]. apply andb_prop in H as [H H4]. apply andb_prop in H as [H H3]. apply andb_prop in H as [H1 H2].
  apply Z.leb_le in H1. apply Z.ltb_lt in H2. split; auto. intros c y ws x I X. destruct hid as [|l1 [|l2 hid]]; try discriminate H5.
  apply andb_prop in H5 as [Fr H5]. rewrite forallb_forall in H5. specialize (H5 _ I). cbv beta iota in H5.
  apply andb_prop in H5 as [H5 M]. apply andb_prop in H5 as [_ Y].
  assert (S : Forall (fun l => 0 <= shift l)%Z (out :: l1 :: l2 :: hid)).
  { apply Forall_forall. intros l J. rewrite forallb_forall in H3. now apply Z.leb_le, H3. }
  inversion S as [|? ? So S1]; subst. inversion S1 as [|? ? Sl1 S2]; subst. inversion S2 as [|? ? Sl2 Sh]; subst.
  assert (L : length (eval (snet_of g (l1 :: l2 :: hid) out) x) = length (srows out)).
  { unfold eval, snet_of. cbn [hidden readout]. rewrite affine_length. apply rows_of_length. }
  rewrite <- L in *. set (b := ball_box g r c) in *.
  apply (margin_ok_sound g p q y (outputs_in hid out (meet_all (shift l1) (shift l2) b (aim (srows l1) (srows l1) (srows l2)) ws))); auto.
  set (t := step (step x (slayer_of g l1)) (slayer_of g l2)).
  change (eval (snet_of g (l1 :: l2 :: hid) out) x) with (eval (snet_of g hid out) t).
  apply outputs_in_sound; auto. unfold t, step at 1, slayer_of at 1.
  apply (meet_all_sound g (shift l1) (shift l2) b (vscale (P g) x) (srows l1) H1 Sl1 Sl2 (ball_box_sound g r c x H1 X) (srows l2) 0 ws).
  unfold step, slayer_of. now apply rows_of_fresh.
Qed.
