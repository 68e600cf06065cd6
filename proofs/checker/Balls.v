(** l_2 balls cut with boxes: the least of a linear function, rounded down, and the checker on such sets. *)
From Coq Require Import Reals Lra List Lia ZArith Bool.
From CGRO Require Import Networks Bounds Soundness.
Import ListNotations.

(** * the program: inputs that reach the box before the ball stop there (true), the others share what is left *)
Section Program.
Open Scope Z_scope.
Definition edge (r : Z) (lh : Z * Z) : Z := if r <? 0 then snd lh else fst lh.
Fixpoint size_of (r : list Z) (t : list bool) : Z :=
  match r, t with a :: r', s :: t' => (if s then 0 else a * a) + size_of r' t' | _, _ => 0 end.
Fixpoint gaps (r : list Z) (b : bounds) (c : list Z) (t : list bool) : Z :=
  match r, b, c, t with
  | a :: r', lh :: b', m :: c', s :: t' => (if s then (m - edge a lh) * (m - edge a lh) else 0) + gaps r' b' c' t'
  | _, _, _, _ => 0
  end.
Fixpoint ends (r : list Z) (b : bounds) (c : list Z) (t : list bool) : Z :=
  match r, b, c, t with
  | a :: r', lh :: b', m :: c', s :: t' => a * (if s then edge a lh else m) + ends r' b' c' t'
  | _, _, _, _ => 0
  end.
Fixpoint stop (size left : Z) (r : list Z) (b : bounds) (c : list Z) (t : list bool) : list bool :=
  match r, b, c, t with
  | a :: r', lh :: b', m :: c', s :: t' =>
      let gap := m - edge a lh in (s || (gap * gap * size <? left * (a * a))) :: stop size left r' b' c' t'
  | _, _, _, _ => []
  end.
Fixpoint fine_stops (size left : Z) (r : list Z) (b : bounds) (c : list Z) (t : list bool) : bool :=
  match r, b, c, t with
  | a :: r', lh :: b', m :: c', s :: t' =>
      let gap := m - edge a lh in (negb s || (gap * gap * size <=? left * (a * a))) && fine_stops size left r' b' c' t'
  | [], _, _, _ => true
  | _, [], _, _ => true
  | _, _, _, _ => false
  end.
Fixpoint same (s t : list bool) : bool :=
  match s, t with a :: s', b :: t' => Bool.eqb a b && same s' t' | [], [] => true | _, _ => false end.
Fixpoint stops (fuel : nat) (r : list Z) (b : bounds) (c : list Z) (radius : Z) (t : list bool) : list bool :=
  match fuel with
  | O => t
  | S n => let t' := stop (size_of r t) (radius * radius - gaps r b c t) r b c t in
           if same t t' then t else stops n r b c radius t'
  end.
(** how the stops were found does not matter: they are tested *)
Definition ball_least (b : bounds) (c : list Z) (radius : Z) (r : list Z) : Z :=
  let t := stops (S (length r)) r b c radius (map (fun _ => false) r) in
  let size := size_of r t in let left := radius * radius - gaps r b c t in
  let other := least r b in
  if (0 <=? left) && fine_stops size left r b c t then Z.max other (ends r b c t - Z.sqrt (size * left) - 1) else other.
Definition check_ball hid out g box centre radius p q goals :=
  Nat.eqb (length centre) (length box) && check_on g box (ball_least box centre radius) hid out p q goals.
End Program.

(** * soundness *)
Open Scope R_scope.
Fixpoint dist2 (c : list Z) (x : vec) : R :=
  match c, x with a :: c', v :: x' => (v - IZR a) ^ 2 + dist2 c' x' | _, _ => 0 end.
Lemma dist2_ge0 c : forall x, 0 <= dist2 c x.
Proof. induction c; intros [|v x]; simpl; try lra. specialize (IHc x). pose proof (pow2_ge_0 (v - IZR a)). simpl in *. lra. Qed.
Lemma edge_free lam r c v : 0 < lam -> r * c - r * r / (4 * lam) <= r * v + lam * (v - c) ^ 2.
Proof.
  intros L. assert (0 <= lam * (v - c + r / (2 * lam)) ^ 2) by (apply Rmult_le_pos; [lra | apply pow2_ge_0]).
  replace (lam * (v - c + r / (2 * lam)) ^ 2) with (r * v + lam * (v - c) ^ 2 - (r * c - r * r / (4 * lam))) in H by (field; lra). lra.
Qed.
Lemma size_ge0 r : forall t, (0 <= size_of r t)%Z.
Proof. induction r as [|a r IH]; intros [|s t]; simpl; try lia. specialize (IH t). destruct s; nia. Qed.
(** 2 lam |gap| <= |r| in squares *)
Lemma edge_met lam r e c v : 0 < lam -> 4 * lam * lam * ((c - e) * (c - e)) <= r * r -> (0 <= r /\ e <= v \/ r <= 0 /\ v <= e) ->
  r * e + lam * ((c - e) * (c - e)) <= r * v + lam * (v - c) ^ 2.
Proof.
  intros L H S.
  assert (E : r * v + lam * (v - c) ^ 2 - (r * e + lam * ((c - e) * (c - e))) = (v - e) * (r + lam * ((v - e) - 2 * (c - e)))) by ring.
  assert (Q : (2 * lam * (c - e)) * (2 * lam * (c - e)) <= r * r) by lra.
  assert (A : Rabs (2 * lam * (c - e)) <= Rabs r) by (apply Rsqr_le_abs_0; unfold Rsqr; exact Q).
  assert (0 <= (v - e) * (r + lam * ((v - e) - 2 * (c - e)))); [|lra].
  destruct S as [[R1 R2]|[R1 R2]].
  - rewrite (Rabs_right r) in A by lra. apply Rmult_le_pos; [lra|]. pose proof (Rle_abs (2 * lam * (c - e))). nra.
  - rewrite (Rabs_left1 r) in A by lra. pose proof (Rle_abs (2 * lam * (c - e))).
    pose proof (Rle_abs (- (2 * lam * (c - e)))) as N. rewrite Rabs_Ropp in N. assert (0 <= (e - v) * (- r - lam * ((v - e) - 2 * (c - e)))); [apply Rmult_le_pos; nra | lra].
Qed.
Lemma edge_side r lh v : inz lh v -> (0 <= IZR r /\ IZR (edge r lh) <= v \/ IZR r <= 0 /\ v <= IZR (edge r lh)).
Proof.
  unfold inz, edge. intros []. destruct (Z.ltb_spec r 0) as [A|A]; [apply IZR_lt in A | apply IZR_le in A]; [right | left]; lra.
Qed.
Lemma lagrange lam size left b x : 0 < lam -> 4 * lam * lam * IZR left = IZR size -> (0 < left)%Z -> within b x ->
  forall r c t, length c = length b -> fine_stops size left r b c t = true ->
  IZR (ends r b c t) + lam * IZR (gaps r b c t) - IZR (size_of r t) / (4 * lam) <= dot (zr r) x + lam * dist2 c x.
Proof.
  intros L K Hl. apply IZR_lt in Hl. unfold zr. induction 1 as [|lh v b x I W IH]; intros r c t LC F.
  - destruct c; [|discriminate]. rewrite dot_nil_r.
    replace (ends r [] [] t) with 0%Z by (destruct r; reflexivity). replace (gaps r [] [] t) with 0%Z by (destruct r; reflexivity).
    assert (0 <= IZR (size_of r t) / (4 * lam)); [|simpl; lra].
    apply Rmult_le_pos; [apply IZR_le, size_ge0 | apply Rlt_le, Rinv_0_lt_compat; lra].
  - destruct r as [|a r], c as [|m c]; try discriminate LC.
    + cbn [ends gaps size_of map dot]. pose proof (dist2_ge0 (m :: c) (v :: x)). unfold Rdiv. nra.
    + destruct t as [|s t]; [discriminate F|]. cbn [fine_stops] in F. apply andb_prop in F as [F1 F].
      injection LC as LC. specialize (IH r c t LC F). cbn [ends gaps size_of map dot dist2].
      rewrite !plus_IZR, mult_IZR.
      destruct s; cbn [negb orb] in F1.
      * apply Z.leb_le, IZR_le in F1. rewrite !mult_IZR, minus_IZR in F1. rewrite mult_IZR, minus_IZR.
        set (e := IZR (edge a lh)) in *.
        assert (M : 4 * lam * lam * ((IZR m - e) * (IZR m - e)) <= IZR a * IZR a).
        { apply Rmult_le_reg_l with (IZR left); auto. rewrite <- K in F1. lra. }
        pose proof (edge_met lam (IZR a) e (IZR m) v L M (edge_side a lh v I)). unfold Rdiv in *. lra.
      * rewrite mult_IZR. pose proof (edge_free lam (IZR a) (IZR m) v L). unfold Rdiv in *. lra.
Qed.

Lemma flat_size size left b x : within b x -> forall r c t, length c = length b -> fine_stops size left r b c t = true ->
  size_of r t = 0%Z -> IZR (ends r b c t) <= dot (zr r) x.
Proof.
  unfold zr. induction 1 as [|lh v b x I W IH]; intros r c t LC F Z0.
  - destruct r; simpl; rewrite ?dot_nil_r; lra.
  - destruct r as [|a r], c as [|m c]; try discriminate LC; [simpl; lra|].
    destruct t as [|s t]; [discriminate F|]. cbn [fine_stops] in F. apply andb_prop in F as [_ F].
    injection LC as LC. cbn [size_of] in Z0. pose proof (size_ge0 r t).
    assert (Z1 : size_of r t = 0%Z) by (destruct s; nia). specialize (IH r c t LC F Z1).
    cbn [ends map dot]. rewrite plus_IZR, mult_IZR. destruct s.
    + destruct (edge_side a lh v I) as [[]|[]]; nra.
    + assert (a = 0%Z) by nia. subst. lra.
Qed.
Lemma flat_left size b x : (0 < size)%Z -> within b x -> forall r c t, length c = length b -> fine_stops size 0 r b c t = true ->
  gaps r b c t = 0%Z /\ (dist2 c x <= 0 -> IZR (ends r b c t) <= dot (zr r) x).
Proof.
  intros S. unfold zr. induction 1 as [|lh v b x I W IH]; intros r c t LC F.
  - destruct r; simpl; rewrite ?dot_nil_r; (split; [reflexivity | intros; lra]).
  - destruct r as [|a r], c as [|m c]; try discriminate LC; [simpl; split; [reflexivity | intros; lra]|].
    destruct t as [|s t]; [discriminate F|]. cbn [fine_stops] in F. apply andb_prop in F as [F1 F].
    injection LC as LC. destruct (IH r c t LC F) as [G0 IH']. cbn [gaps ends map dot dist2].
    assert (E : s = true -> edge a lh = m).
    { intros ->. cbn [negb orb] in F1. apply Z.leb_le in F1.
      assert (Q : ((m - edge a lh) * (m - edge a lh) <= 0)%Z) by nia. nia. }
    split; [destruct s; rewrite ?E by auto; lia|].
    intros Dx. pose proof (dist2_ge0 c x). pose proof (pow2_ge_0 (v - IZR m)) as P2.
    assert (V : v = IZR m) by (assert ((v - IZR m) ^ 2 = 0) by lra; nra).
    rewrite plus_IZR, mult_IZR. replace (IZR (if s then edge a lh else m)) with v by (destruct s; rewrite ?E by auto; auto).
    specialize (IH' ltac:(lra)). lra.
Qed.
Lemma ball_least_sound b c radius x : within b x -> length c = length b -> dist2 c x <= IZR (radius * radius) ->
  forall r, IZR (ball_least b c radius r) <= dot (zr r) x.
Proof.
  intros W LC Dx r. unfold ball_least.
  generalize (stops (S (length r)) r b c radius (map (fun _ => false) r)). intros t.
  set (size := size_of r t). set (left := (radius * radius - gaps r b c t)%Z).
  pose proof (least_sound b x W r) as A.
  destruct (Z.leb_spec 0 left) as [L|L]; [|exact A]. destruct (fine_stops size left r b c t) eqn:F; [|exact A]. cbn [andb].
  apply max_le; auto. pose proof (size_ge0 r t) as S0. fold size in S0.
  assert (Q : IZR size * IZR left <= (IZR (Z.sqrt (size * left)) + 1) ^ 2 /\ 0 <= IZR (Z.sqrt (size * left))).
  { pose proof (Z.sqrt_spec (size * left) ltac:(nia)) as [_ U]. split; [|apply IZR_le, Z.sqrt_nonneg].
    rewrite <- mult_IZR, <- plus_IZR. simpl pow. rewrite Rmult_1_r, <- mult_IZR. apply IZR_le. unfold Z.succ in U. lia. }
  rewrite !minus_IZR. set (q := IZR (Z.sqrt (size * left))) in *.
  destruct (Z.eq_dec size 0) as [Z0|Z0].
  { pose proof (flat_size _ _ _ _ W r c t LC F Z0). lra. }
  destruct (Z.eq_dec left 0) as [L0|L0].
  { rewrite L0 in F. destruct (flat_left size b x ltac:(lia) W r c t LC F) as [G0 H].
    unfold left in L0. rewrite G0 in L0. replace (radius * radius)%Z with 0%Z in Dx by lia. specialize (H Dx). lra. }
  assert (Sp : 0 < IZR size) by (apply IZR_lt; lia). assert (Lp : 0 < IZR left) by (apply IZR_lt; lia).
  set (lam := sqrt (IZR size / IZR left) / 2).
  assert (D0 : 0 < IZR size / IZR left) by (apply Rdiv_lt_0_compat; auto).
  assert (Lam : 0 < lam) by (unfold lam; pose proof (sqrt_lt_R0 _ D0); lra).
  assert (K : 4 * lam * lam * IZR left = IZR size).
  { unfold lam. replace (4 * (sqrt (IZR size / IZR left) / 2) * (sqrt (IZR size / IZR left) / 2))
      with (sqrt (IZR size / IZR left) * sqrt (IZR size / IZR left)) by field. rewrite sqrt_sqrt by lra. field. lra. }
  pose proof (lagrange lam size left b x Lam K ltac:(lia) W r c t LC F) as H.
  replace (IZR (gaps r b c t)) with (IZR (radius * radius) - IZR left) in H by (unfold left; rewrite minus_IZR; lra).
  fold size in H. replace (IZR size / (4 * lam)) with (lam * IZR left) in H by (rewrite <- K; field; lra).
  assert (2 * lam * IZR left <= q + 1).
  { apply Rsqr_incr_0_var; [|lra]. unfold Rsqr. rewrite <- K in Q. nra. }
  nra.
Qed.

Definition in_l2_ball (g : Z) (centre : list Z) (radius : Z) (x : vec) := dist2 centre (vscale (P g) x) <= IZR (radius * radius).
Theorem check_ball_sound hid out g box centre radius p q goals :
  check_ball hid out g box centre radius p q goals = true ->
  forall x, in_box g box x -> in_l2_ball g centre radius x -> forall goal t, In (goal, t) goals ->
  IZR p / IZR q <= dot (zr goal) (eval (net_of (map (fun lpf => fst (fst lpf)) hid) out) x).
Proof.
  intros H x X Dx. unfold check_ball in H. apply andb_prop in H as [LC H]. apply Nat.eqb_eq in LC.
  eapply check_on_sound; eauto. intros r. apply ball_least_sound; auto.
  unfold vscale. clear -X. induction X as [|lh v b x I _ IH]; simpl; constructor; auto. unfold inb, inz in *. lra.
Qed.
