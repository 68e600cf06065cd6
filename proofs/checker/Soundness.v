(** Soundness of [Check.check]: for all real points of the box. *)
From Coq Require Import Reals Lra List Lia ZArith Bool.
From CGRO Require Import Networks Bounds.
Import ListNotations.
Open Scope R_scope.

Definition P (n : Z) : R := IZR (2 ^ n).
Definition zr : list Z -> vec := map IZR.

(** * what is meant *)
Definition layer_of (l : zlayer) : layer :=
  map (fun rb => (map (fun w => IZR w / P (scale l)) (fst rb), IZR (snd rb) / P (scale l))) (rows l).
Definition net_of (hid : list zlayer) (out : zlayer) : net := Net (map layer_of hid) (layer_of out).
Definition inb (G : R) (lh : Z * Z) (t : R) := IZR (fst lh) <= t * G <= IZR (snd lh).
Definition in_box (g : Z) (box : bounds) (x : vec) := Forall2 (inb (P g)) box x.

(** * powers and rounding *)
Lemma P_pos n : (0 <= n)%Z -> 0 < P n.
Proof. intros. apply IZR_lt. apply Z.pow_pos_nonneg; lia. Qed.
Lemma P_add a b : (0 <= a)%Z -> (0 <= b)%Z -> P (a + b) = P a * P b.
Proof. intros. unfold P. now rewrite Z.pow_add_r, mult_IZR. Qed.
Lemma IZR_shl v n : IZR (shl v n) = IZR v * P n.
Proof. unfold shl. apply mult_IZR. Qed.
Lemma IZR_shr v n : (0 <= n)%Z -> IZR (shr v n) <= IZR v / P n.
Proof.
  intros N. pose proof (P_pos n N) as Q. unfold shr.
  apply Rmult_le_reg_r with (P n); auto. unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. rewrite Rmult_1_r.
  unfold P. rewrite <- mult_IZR. apply IZR_le. rewrite Z.mul_comm. apply Z.mul_div_le.
  apply Z.pow_pos_nonneg; lia.
Qed.

(** * sums *)
Lemma dot_add a : forall b x, dot (zr (add a b)) x = dot (zr a) x + dot (zr b) x.
Proof.
  unfold zr. induction a as [|u a IH]; intros [|v b] [|w x]; simpl; try lra. rewrite IH, plus_IZR; lra.
Qed.
Lemma dot_zmul c a : forall x, dot (zr (map (Z.mul c) a)) x = IZR c * dot (zr a) x.
Proof. unfold zr. induction a as [|u a IH]; intros [|w x]; simpl; try lra. rewrite IH, mult_IZR; lra. Qed.
Lemma dot_zshl c a : forall x, dot (zr (map (fun v => shl v c) a)) x = P c * dot (zr a) x.
Proof. unfold zr. induction a as [|u a IH]; intros [|w x]; simpl; try lra. rewrite IH, IZR_shl; lra. Qed.

(** * layers on values times G *)
Section Scaled.
Variable G : R.
Definition saff (l : zlayer) (h : vec) : vec :=
  map (fun rb => (dot (zr (fst rb)) h + IZR (snd rb) * G) / P (scale l)) (rows l).
Fixpoint below (ls : list zlayer) (x : vec) : vec :=
  match ls with [] => x | l :: ls' => map relu (saff l (below ls' x)) end.
Lemma dot_comb h d : forall r c, dot (zr d) (map (fun rb => (dot (zr (fst rb)) h + IZR (snd rb) * G) / c) r)
  = (dot (zr (comb d r)) h + IZR (const d r) * G) / c.
Proof.
  unfold const. induction d as [|a d IH]; intros [|[w b] r] c; try (unfold zr; simpl; unfold Rdiv; lra).
  cbn [zr map dot fst snd comb zdot]. change (map IZR) with zr. unfold Rdiv in *. rewrite IH. destruct (Z.eqb_spec a 0) as [->|].
  - simpl. lra.
  - rewrite dot_add, dot_zmul, plus_IZR, mult_IZR. lra.
Qed.
Lemma dot_saff d l h : dot (zr d) (saff l h) = (dot (zr (comb d (rows l))) h + IZR (const d (rows l)) * G) / P (scale l).
Proof. apply dot_comb. Qed.
End Scaled.

Definition inz (lh : Z * Z) (t : R) := IZR (fst lh) <= t <= IZR (snd lh).
Definition within (b : bounds) (t : vec) := Forall2 inz b t.

Lemma least_sound b t : within b t -> forall r, IZR (least r b) <= dot (zr r) t.
Proof.
  unfold zr. induction 1 as [|[lo hi] v b t I _ IH]; intros [|a r]; simpl; try lra.
  specialize (IH r). rewrite plus_IZR. unfold inz in I; simpl in I.
  destruct (Z.ltb_spec a 0) as [A|A]; rewrite mult_IZR; apply IZR_le in A || apply IZR_lt in A; nra.
Qed.

Lemma term_sound r v lo hi t : inz (lo, hi) t -> IZR v * t + IZR (term r v lo hi) <= IZR r * relu t.
Proof.
  unfold inz; simpl; intros I. unfold term.
  destruct (Z.leb_spec 0 lo) as [L|L]; [|destruct (Z.leb_spec hi 0) as [U|U]].
  - apply IZR_le in L. rewrite (relu_pos t), mult_IZR, minus_IZR by lra.
    destruct (Z.ltb_spec v r) as [A|A]; [apply IZR_lt in A | apply IZR_le in A]; nra.
  - apply IZR_le in U. rewrite (relu_neg t), mult_IZR, opp_IZR by lra.
    destruct (Z.ltb_spec 0 v) as [A|A]; [apply IZR_lt in A | apply IZR_le in A]; nra.
  - apply IZR_lt in L, U. set (m := Z.min _ 0).
    assert (M1 : (m <= (r - v) * hi)%Z) by (unfold m; lia). assert (M2 : (m <= - v * lo)%Z) by (unfold m; lia).
    assert (M3 : (m <= 0)%Z) by (unfold m; lia). clearbody m.
    apply IZR_le in M1, M2, M3. rewrite mult_IZR in M1, M2. rewrite minus_IZR in M1. rewrite opp_IZR in M2.
    destruct (relu_cases t) as [[T ->]|[T ->]].
    + destruct (Rle_dec 0 (IZR r - IZR v)); nra.
    + destruct (Rle_dec 0 (IZR v)); nra.
Qed.
Lemma terms_sound b z : within b z -> forall form d c,
  P c * dot (zr d) z + IZR (terms form d c b) <= dot (zr form) (map relu z).
Proof.
  unfold zr. induction 1 as [|[lo hi] t b z I _ IH]; intros form d c; simpl.
  - rewrite !dot_nil_r. lra.
  - rewrite plus_IZR. specialize (IH (tl form) (tl d) c).
    pose proof (term_sound (hd0 form) (shl (hd0 d) c) lo hi t I) as T. rewrite IZR_shl in T.
    destruct form as [|r form], d as [|u d]; simpl in *; lra.
Qed.

(** * intervals and pairs *)
Lemma half_P : P 1 = 2.
Proof. reflexivity. Qed.
Lemma max_le a b t : IZR a <= t -> IZR b <= t -> IZR (Z.max a b) <= t.
Proof. intros. destruct (Z.max_spec a b) as [[_ ->]|[_ ->]]; auto. Qed.
Lemma min_ge a b t : t <= IZR a -> t <= IZR b -> t <= IZR (Z.min a b).
Proof. intros. destruct (Z.min_spec a b) as [[_ ->]|[_ ->]]; auto. Qed.
Lemma meet_sound i j t : inz i t -> inz j t -> inz (meet i j) t.
Proof. unfold inz, meet; simpl; intros [] []. split; [now apply max_le | now apply min_ge]. Qed.
Lemma addi_sound i j s t : inz i s -> inz j t -> inz (addi i j) (s + t).
Proof. unfold inz, addi; simpl; intros [] []. rewrite !plus_IZR. lra. Qed.
Lemma negi_sound i t : inz i t -> inz (negi i) (- t).
Proof. unfold inz, negi; simpl; intros []. rewrite !opp_IZR. lra. Qed.
Lemma half_sound i t : inz i t -> inz (half i) (t / 2).
Proof.
  unfold inz, half; simpl; intros []. rewrite !opp_IZR.
  pose proof (IZR_shr (fst i) 1 ltac:(lia)). pose proof (IZR_shr (- snd i) 1 ltac:(lia)). rewrite opp_IZR, half_P in *. lra.
Qed.
Lemma dbl_sound i t : inz i t -> inz (dbl i) (2 * t).
Proof. unfold inz, dbl; cbn [fst snd]; intros []. rewrite !mult_IZR. lra. Qed.
Lemma side_sound (pos : bool) i t : inz i t -> (if pos then 0 <= t else t <= 0) -> inz (side pos i) t.
Proof. unfold inz, side; destruct pos; simpl; intros [] T; split; auto; [now apply max_le | now apply min_ge]. Qed.
Lemma void_sound i t : inz i t -> void i = false.
Proof. unfold inz, void; intros []. apply Z.ltb_ge, le_IZR. lra. Qed.
Lemma mm_sound k i t : inz i t -> IZR (mm k i) <= IZR k * t.
Proof.
  unfold inz, mm; intros []. destruct (Z.ltb_spec k 0) as [A|A]; rewrite mult_IZR; [apply IZR_lt in A | apply IZR_le in A]; nra.
Qed.
Lemma inz_eq i s t : inz i s -> s = t -> inz i t.
Proof. now intros ? <-. Qed.
Lemma piece_sound c1 c2 x y s d X Y : inz x X -> inz y Y -> inz s (X + Y) -> inz d (X - Y) ->
  exists m, piece c1 c2 x y s d = Some m /\ IZR m <= IZR c1 * X + IZR c2 * Y.
Proof.
  intros HX HY HS HD. unfold piece.
  set (x' := meet x _). set (y' := meet y _). set (s' := meet s _). set (d' := meet d _).
  assert (A : inz x' X).
  { apply meet_sound; auto. apply meet_sound; [|apply meet_sound].
    - apply inz_eq with ((X + Y + (X - Y)) / 2); [apply half_sound, addi_sound; auto | lra].
    - apply inz_eq with (X + Y + - Y); [apply addi_sound; auto; now apply negi_sound | lra].
    - apply inz_eq with (X - Y + Y); [apply addi_sound; auto | lra]. }
  assert (B : inz y' Y).
  { apply meet_sound; auto. apply meet_sound; [|apply meet_sound].
    - apply inz_eq with ((X + Y + - (X - Y)) / 2); [apply half_sound, addi_sound; auto; now apply negi_sound | lra].
    - apply inz_eq with (X + Y + - X); [apply addi_sound; auto; now apply negi_sound | lra].
    - apply inz_eq with (X + - (X - Y)); [apply addi_sound; auto; now apply negi_sound | lra]. }
  assert (C : inz s' (X + Y)).
  { apply meet_sound; auto. apply meet_sound; [|apply meet_sound].
    - now apply addi_sound.
    - apply inz_eq with (X + (X + - (X - Y))); [repeat apply addi_sound; auto; now apply negi_sound | lra].
    - apply inz_eq with (Y + (Y + (X - Y))); [repeat apply addi_sound; auto | lra]. }
  assert (D : inz d' (X - Y)).
  { apply meet_sound; auto. apply meet_sound; [|apply meet_sound].
    - apply inz_eq with (X + - Y); [apply addi_sound; auto; now apply negi_sound | lra].
    - apply inz_eq with (X + (X + - (X + Y))); [repeat apply addi_sound; auto; now apply negi_sound | lra].
    - apply inz_eq with (X + Y + (- Y + - Y)); [repeat apply addi_sound; auto; now apply negi_sound | lra]. }
  clearbody x' y' s' d'.
  rewrite (void_sound _ _ A), (void_sound _ _ B), (void_sound _ _ C), (void_sound _ _ D). simpl.
  eexists; split; [reflexivity|].
  pose proof (mm_sound c2 _ _ C). pose proof (mm_sound (c1 - c2) _ _ A). pose proof (mm_sound c1 _ _ C).
  pose proof (mm_sound (c2 - c1) _ _ B). pose proof (mm_sound (- c2) _ _ D). pose proof (mm_sound (c1 + c2) _ _ A).
  pose proof (mm_sound c1 _ _ D). pose proof (mm_sound (c1 + c2) _ _ B).
  rewrite ?minus_IZR, ?plus_IZR, ?opp_IZR in *.
  repeat apply max_le; rewrite plus_IZR; lra.
Qed.
Lemma omin_le a b m t : a = Some m -> IZR m <= t -> exists n, omin a b = Some n /\ IZR n <= t.
Proof.
  intros -> H. destruct b as [n|]; simpl; eexists; split; eauto.
  eapply Rle_trans; [|exact H]. apply IZR_le. lia.
Qed.
Lemma omin_ge a b m t : b = Some m -> IZR m <= t -> exists n, omin a b = Some n /\ IZR n <= t.
Proof.
  intros -> H. destruct a as [n|]; simpl; eexists; split; eauto.
  eapply Rle_trans; [|exact H]. apply IZR_le. lia.
Qed.
Lemma pieces_sound a b u v x y s d X Y : inz x X -> inz y Y -> inz s (X + Y) -> inz d (X - Y) ->
  exists m, pieces a b u v x y s d = Some m /\
    IZR m <= 2 * (IZR a * relu X + IZR b * relu Y - IZR u * X - IZR v * Y).
Proof.
  intros HX HY HS HD. unfold pieces.
  assert (K : forall px py : bool, (if px then 0 <= X else X <= 0) -> (if py then 0 <= Y else Y <= 0) -> exists m,
    piece ((if px then a else 0) - u) ((if py then b else 0) - v) (side px (dbl x)) (side py (dbl y)) (dbl s) (dbl d) = Some m
    /\ IZR m <= 2 * (IZR a * relu X + IZR b * relu Y - IZR u * X - IZR v * Y)).
  { intros px py PX PY.
    destruct (piece_sound ((if px then a else 0) - u) ((if py then b else 0) - v) (side px (dbl x)) (side py (dbl y)) (dbl s) (dbl d) (2 * X) (2 * Y))
      as [m [E H]].
    - apply side_sound; [now apply dbl_sound | destruct px; lra].
    - apply side_sound; [now apply dbl_sound | destruct py; lra].
    - apply inz_eq with (2 * (X + Y)); [now apply dbl_sound | lra].
    - apply inz_eq with (2 * (X - Y)); [now apply dbl_sound | lra].
    - exists m. split; auto. rewrite !minus_IZR in H.
      destruct px, py; rewrite ?(relu_pos X), ?(relu_pos Y), ?(relu_neg X), ?(relu_neg Y) by auto; lra. }
  destruct (Rle_dec 0 X) as [PX|PX], (Rle_dec 0 Y) as [PY|PY].
  - destruct (K true true) as [m [E H]]; auto. destruct (omin_le _ (piece (a - u) (0 - v) (side true (dbl x)) (side false (dbl y)) (dbl s) (dbl d)) _ _ E H) as [n [F H']].
    eapply omin_le; eauto.
  - destruct (K true false) as [m [E H]]; try lra. destruct (omin_ge (piece (a - u) (b - v) (side true (dbl x)) (side true (dbl y)) (dbl s) (dbl d)) _ _ _ E H) as [n [F H']].
    eapply omin_le; eauto.
  - destruct (K false true) as [m [E H]]; try lra. destruct (omin_le _ (piece (0 - u) (0 - v) (side false (dbl x)) (side false (dbl y)) (dbl s) (dbl d)) _ _ E H) as [n [F H']].
    eapply omin_ge; eauto.
  - destruct (K false false) as [m [E H]]; try lra. destruct (omin_ge (piece (0 - u) (b - v) (side false (dbl x)) (side true (dbl y)) (dbl s) (dbl d)) _ _ _ E H) as [n [F H']].
    eapply omin_ge; eauto.
Qed.
Lemma dot_zero k form : forall y, dot (zr form) y = dot (zr (zero k form)) y + IZR (nthz k form) * nth k y 0.
Proof.
  unfold zr, nthz. revert k; induction form as [|a form IH]; intros [|k] [|t y]; simpl; try lra. rewrite (IH k). lra.
Qed.
Fixpoint linked (ps : list (option link)) (z : vec) : Prop :=
  match ps, z with
  | Some p :: ps', v :: z' => inz (lsum p) (v + nth (off p) z' 0) /\ inz (ldiff p) (v - nth (off p) z' 0) /\ linked ps' z'
  | None :: ps', _ :: z' => linked ps' z'
  | _, _ => True
  end.
Lemma dot_hd form v z : dot (zr form) (v :: z) = IZR (hd0 form) * v + dot (zr (tl form)) z.
Proof. destruct form; unfold zr; simpl; lra. Qed.
Lemma nth_within b z : within b z -> forall k, inz (nthb k b) (nth k z 0).
Proof.
  unfold nthb. induction 1; intros [|k]; simpl; auto; unfold inz; simpl; lra.
Qed.
Lemma nth_relu z : forall k, nth k (map relu z) 0 = relu (nth k z 0).
Proof. induction z; intros [|k]; simpl; auto; now rewrite relu_pos by lra. Qed.
Lemma pterms_sound b z : within b z -> forall ps form d c, linked ps z ->
  P c * dot (zr d) z + IZR (pterms form d c b ps) <= dot (zr form) (map relu z).
Proof.
  induction 1 as [|[lo hi] v b z I W IH]; intros ps form d c K; [simpl; rewrite !dot_nil_r; lra|].
  cbn [map]. rewrite !dot_hd. cbn [pterms].
  assert (N : linked (tl ps) z -> P c * (IZR (hd0 d) * v + dot (zr (tl d)) z) +
    IZR (term (hd0 form) (shl (hd0 d) c) (fst (lo, hi)) (snd (lo, hi)) + pterms (tl form) (tl d) c b (tl ps))
    <= IZR (hd0 form) * relu v + dot (zr (tl form)) (map relu z)).
  { intros K'. rewrite plus_IZR. specialize (IH (tl ps) (tl form) (tl d) c K'). cbn [fst snd].
    pose proof (term_sound (hd0 form) (shl (hd0 d) c) lo hi v I) as T. rewrite IZR_shl in T. lra. }
  destruct ps as [|[p|] ps]; [apply N; destruct z; exact Logic.I | | apply N; exact K]. clear N. destruct K as [S [D K]].
  destruct ((hd0 form =? 0)%Z && _ && _ && _) eqn:Z0.
  - apply andb_prop in Z0 as [Z0 Z4]. apply andb_prop in Z0 as [Z0 Z3]. apply andb_prop in Z0 as [Z1 Z2].
    apply Z.eqb_eq in Z1, Z3. rewrite Z1, Z3. specialize (IH ps (tl form) (tl d) c K). lra.
  - destruct (pieces_sound (hd0 form) (nthz (off p) (tl form)) (shl (hd0 d) c) (shl (nthz (off p) (tl d)) c)
      _ _ _ _ _ _ I (nth_within _ _ W (off p)) S D) as [m [-> H]].
    rewrite !IZR_shl in H. specialize (IH ps (zero (off p) (tl form)) (zero (off p) (tl d)) c K). rewrite plus_IZR.
    pose proof (IZR_shr m 1 ltac:(lia)) as M. rewrite half_P in M.
    rewrite (dot_zero (off p) (tl form)), (dot_zero (off p) (tl d)), nth_relu. lra.
Qed.
Lemma pair_void_sound b z : within b z -> forall ps, linked ps z -> pair_void b ps = false.
Proof.
  induction 1 as [|lh v b z I W IH]; intros [|[p|] ps] K; simpl in *; auto. destruct K as [S [D K]].
  destruct (pieces_sound 0 0 0 0 _ _ _ _ _ _ I (nth_within _ _ W (off p)) S D) as [m [-> _]]. now apply IH.
Qed.

Section Sound.
Variables (g : Z) (box : bounds) (low0 : list Z -> Z) (x : vec).
Hypothesis Hg : (0 <= g)%Z.
Hypothesis Hx : within box x.
Hypothesis H0 : forall r, IZR (low0 r) <= dot (zr r) x.
Notation G := (P g).
Notation below := (below G).
Notation saff := (saff G).

Definition scales (ls : list zlayer) := Forall (fun l => 0 <= scale l)%Z ls.
Fixpoint ok (ls : list zlayer) (bs : list lbounds) : Prop :=
  match ls, bs with
  | [], [] => True
  | l :: ls', b :: bs' => let z := saff l (below ls' x) in (within (ub b) z /\ linked (links b) z) /\ ok ls' bs'
  | _, _ => False
  end.

Lemma descend_sound s (S : (0 <= s)%Z) ls : forall bs ds form part c, ok ls bs -> scales ls -> (0 <= c)%Z ->
  IZR (descend g low0 ls bs s ds form part c) <= (dot (zr form) (below ls x) + IZR part) / P (s + c).
Proof.
  induction ls as [|l ls IH]; intros [|b bs] ds form part c O C Hc; simpl in O; try tauto; simpl.
  - eapply Rle_trans; [apply IZR_shr; lia|]. apply Rmult_le_compat_r; [apply Rlt_le, Rinv_0_lt_compat, P_pos; lia|].
    rewrite plus_IZR. pose proof (H0 form). lra.
  - destruct O as [[W WP] O]. inversion C as [|? ? Cl Cs]; subst. rewrite plus_IZR.
    specialize (IH bs (tl ds) (comb (hd [] ds) (rows l)) (shl (const (hd [] ds) (rows l)) g) (scale l) O Cs Cl).
    pose proof (pterms_sound _ _ W (links b) form (hd [] ds) c WP) as T.
    pose proof (IZR_shr (part + pterms form (hd [] ds) c (ub b) (links b)) (s + c) ltac:(lia)) as A. rewrite plus_IZR in A.
    rewrite (dot_saff G) in T. rewrite IZR_shl in IH.
    set (D := dot (zr (comb (hd [] ds) (rows l))) (below ls x) + IZR (const (hd [] ds) (rows l)) * G) in *.
    rewrite P_add in * by lia. pose proof (P_pos s S) as Ps. pose proof (P_pos c Hc) as Pc. pose proof (P_pos _ Cl) as Pl.
    set (F := dot (zr form) _) in *.
    apply Rle_trans with ((IZR part + IZR (pterms form (hd [] ds) c (ub b) (links b))) / (P s * P c) + D / (P s * P (scale l))); [lra|].
    replace (D / (P s * P (scale l))) with (P c * (D / P (scale l)) / (P s * P c)) by (field; lra).
    unfold Rdiv. rewrite <- Rmult_plus_distr_r. apply Rmult_le_compat_r; [|unfold Rdiv in T; lra].
    apply Rlt_le, Rinv_0_lt_compat. nra.
Qed.
Lemma bound_sound l signs ls bs s ds : ok ls bs -> scales (l :: ls) -> (0 <= s)%Z ->
  IZR (bound g low0 l signs ls bs s ds) <= dot (zr signs) (saff l (below ls x)).
Proof.
  intros O C S. inversion C as [|? ? Cl Cs]; subst. unfold bound.
  eapply Rle_trans; [apply descend_sound; auto|]. rewrite (dot_saff G), dot_zshl, IZR_shl, !P_add by lia.
  pose proof (P_pos s S). pose proof (P_pos _ Cl). right. field. lra.
Qed.

Lemma dot_unit k c : forall z, dot (zr (repeat 0%Z k ++ [c])) z = IZR c * nth k z 0.
Proof.
  unfold zr. induction k; intros [|t z]; simpl; try lra. rewrite IHk. lra.
Qed.
Lemma bound1_sound ls bs form part c : ok ls bs -> (0 <= c)%Z ->
  IZR (bound1 box bs form part c) <= (dot (zr form) (below ls x) + IZR part) / P c.
Proof.
  intros O C. pose proof (P_pos _ C) as Q. assert (I : 0 < / P c) by now apply Rinv_0_lt_compat.
  destruct ls as [|l ls], bs as [|b bs]; simpl in O; try tauto; simpl;
    (eapply Rle_trans; [apply IZR_shr; auto|]); rewrite plus_IZR; apply Rmult_le_compat_r; try lra.
  - pose proof (least_sound _ _ Hx form). lra.
  - destruct O as [[W WP] _]. pose proof (pterms_sound _ _ W (links b) form [] 0%Z WP) as T. simpl in T. lra.
Qed.
Lemma dot_zopp w : forall h, dot (zr (map Z.opp w)) h = - dot (zr w) h.
Proof. unfold zr. induction w; intros [|t h]; simpl; try lra. rewrite IHw, opp_IZR. lra. Qed.
Lemma interval_sound ls bs c form b : ok ls bs -> (0 <= c)%Z ->
  inz (interval g box bs c form b) ((dot (zr form) (below ls x) + IZR b * G) / P c).
Proof.
  intros O C. unfold inz, interval; simpl. split.
  - rewrite <- IZR_shl. now apply bound1_sound.
  - pose proof (bound1_sound ls bs (map Z.opp form) (shl (- b) g) c O C) as A. rewrite dot_zopp, IZR_shl, opp_IZR in A.
    rewrite opp_IZR. unfold Rdiv in *. lra.
Qed.
Lemma dot_two k o t : forall z, dot (zr (repeat 0%Z k ++ 1%Z :: repeat 0%Z o ++ [t])) z = nth k z 0 + IZR t * nth (S k + o) z 0.
Proof.
  induction k; intros [|v z]; cbn [repeat app]; rewrite ?dot_nil_r; try (simpl; lra).
  - rewrite dot_hd. cbn [hd0 tl nth Nat.add]. rewrite dot_unit. lra.
  - rewrite dot_hd. cbn [hd0 tl nth Nat.add]. rewrite IHk. simpl. lra.
Qed.
Lemma skipn_cons k : forall z : vec, (k < length z)%nat -> skipn k z = nth k z 0 :: skipn (S k) z.
Proof. induction k; intros [|v z] H; simpl in *; try lia; auto. apply IHk. lia. Qed.
Lemma nth_skip k o : forall z : vec, nth o (skipn k z) 0 = nth (k + o) z 0.
Proof. induction k; intros [|v z]; simpl; auto. now destruct o. Qed.
Lemma octagons_sound l ls bs : ok ls bs -> (0 <= scale l)%Z -> forall own k,
  linked (octagons g box l bs k own) (skipn k (saff l (below ls x))).
Proof.
  intros O C. set (z := saff l (below ls x)).
  induction own as [|[o|] own IH]; intros k; [exact Logic.I | |];
    (destruct (Nat.lt_ge_cases k (length z)) as [H|H]; [rewrite skipn_cons by auto | rewrite skipn_all2 by auto; exact Logic.I]).
  - cbn [octagons linked off lsum ldiff]. rewrite nth_skip.
    assert (K : forall t, inz (interval g box bs (scale l) (comb (repeat 0 k ++ 1 :: repeat 0 o ++ [t])%Z (rows l))
       (const (repeat 0 k ++ 1 :: repeat 0 o ++ [t])%Z (rows l))) (nth k z 0 + IZR t * nth (S k + o) z 0)).
    { intros t. eapply inz_eq; [apply (interval_sound ls); auto|]. rewrite <- (dot_saff G), dot_two. reflexivity. }
    split; [|split; [|apply IH]]; (eapply inz_eq; [apply K|]); lra.
  - cbn [octagons linked]. apply IH.
Qed.
Lemma improve_sound b z : within b z -> forall k (low : bool) v,
  (if low then IZR v <= nth k z 0 else nth k z 0 <= IZR v) -> within (improve b k low v) z.
Proof.
  induction 1 as [|[lo hi] t b z I W IH]; intros [|k] low v H; simpl in *; constructor; auto; try (apply IH; exact H).
  unfold inz in *; destruct low; simpl in *; split; try lra.
  - destruct (Z.max_spec lo v) as [[_ ->]|[_ ->]]; lra.
  - destruct (Z.min_spec hi v) as [[_ ->]|[_ ->]]; lra.
Qed.
Lemma use_sound l ls bs b f : ok ls bs -> scales (l :: ls) -> (0 <= fs f)%Z ->
  within b (saff l (below ls x)) -> within (use g low0 l ls bs b f) (saff l (below ls x)).
Proof.
  intros O C S W. unfold use. apply improve_sound; auto.
  pose proof (bound_sound l (repeat 0%Z (unit_of f) ++ [if up f then 1 else -1])%Z ls bs (fs f) (fds f) O C S) as B.
  rewrite dot_unit in B. destruct (up f); rewrite mult_IZR; lra.
Qed.
Lemma facts_sound l ls bs fl : forall b, ok ls bs -> scales (l :: ls) -> forallb (fun f => 0 <=? fs f)%Z fl = true ->
  within b (saff l (below ls x)) -> within (fold_left (use g low0 l ls bs) fl b) (saff l (below ls x)).
Proof.
  induction fl as [|f fl IH]; simpl; intros b O C F W; auto. apply andb_prop in F as [F1 F2].
  apply IH; auto. apply use_sound; auto. now apply Z.leb_le.
Qed.
Definition fine (lpf : zlayer * list (option nat) * list fact) := ((0 <=? scale (fst (fst lpf))) && facts_ok (snd lpf))%Z.
Lemma collect_sound todo : forall ls bs, ok ls bs -> scales ls -> forallb fine todo = true ->
  let (ls', bs') := collect g box low0 todo ls bs in ok ls' bs' /\ scales ls' /\ ls' = rev (map (fun lpf => fst (fst lpf)) todo) ++ ls.
Proof.
  induction todo as [|[[l own] facts] todo IH]; intros ls bs O C F; simpl; auto.
  simpl in F. apply andb_prop in F as [F Ft]. unfold fine in F; simpl in F. apply andb_prop in F as [Fl Ff]. apply Z.leb_le in Fl.
  assert (C' : scales (l :: ls)) by now constructor.
  set (b := LB _ _). specialize (IH (l :: ls) (b :: bs)).
  destruct (collect g box low0 todo (l :: ls) (b :: bs)) as [ls' bs'].
  destruct IH as [A [A' ->]]; auto; [|split; auto; split; auto; now rewrite <- app_assoc].
  simpl. split; auto. split; unfold b; simpl.
  - apply facts_sound; auto. unfold saff, Sound.saff. induction (rows l) as [|[w v] r IHr]; simpl; constructor; auto.
    now apply interval_sound.
  - now apply (octagons_sound l ls bs O Fl own 0).
Qed.

(** * trees *)
Fixpoint val (ls : list zlayer) (i k : nat) : R :=
  match ls, i with
  | [], _ => 0
  | l :: ls', O => nth k (saff l (below ls' x)) 0
  | _ :: ls', S i' => val ls' i' k
  end.
Lemma refine_sound ls : forall bs i k (low : bool), ok ls bs -> (if low then 0 <= val ls i k else val ls i k <= 0) ->
  ok ls (refine bs i k low).
Proof.
  induction ls as [|l ls IH]; intros [|b bs] [|i] k low O H; simpl in *; try tauto.
  - split; [|tauto]. split; [|tauto]. apply improve_sound; tauto.
  - split; [tauto|]. apply IH; tauto.
Qed.
Lemma contradictory_sound ls : forall bs, ok ls bs -> contradictory bs = false.
Proof.
  induction ls as [|l ls IH]; intros [|b bs] O; simpl in *; try tauto.
  destruct O as [[W WP] O]. fold (contradictory bs). rewrite IH by auto. rewrite orb_false_r. clear -W WP.
  apply orb_false_intro.
  - clear WP. induction W as [|lh t b' z I _ IHW]; simpl; auto. now rewrite IHW, (void_sound _ _ I).
  - now apply (pair_void_sound _ _ W).
Qed.
Lemma holds_sound out goal p q ls t : (0 < q)%Z -> scales (out :: ls) -> forall bs, ok ls bs ->
  holds g low0 out goal p q ls bs t = true ->
  IZR p / IZR q * G <= dot (zr goal) (saff out (below ls x)).
Proof.
  intros Q C. apply IZR_lt in Q.
  induction t as [[|] s ds | i k on IHon off IHoff]; intros bs O H; simpl in H.
  - rewrite (contradictory_sound _ _ O) in H; simpl in H. apply andb_prop in H as [S H].
    apply Z.leb_le in S, H. apply IZR_le in H. rewrite IZR_shl, mult_IZR in H.
    pose proof (bound_sound out goal ls bs s ds O C S) as B.
    apply Rmult_le_reg_l with (IZR q); auto. unfold Rdiv.
    replace (IZR q * (IZR p * / IZR q * G)) with (IZR p * G) by (field; lra). nra.
  - rewrite (contradictory_sound _ _ O) in H; simpl in H. apply andb_prop in H as [S H].
    apply Z.leb_le in S. apply Z.ltb_lt in H. apply IZR_lt in H.
    pose proof (bound_sound out [] ls bs s ds O C S) as B. simpl in B. lra.
  - apply andb_prop in H as [H1 H2]. destruct (Rle_dec 0 (val ls i k)).
    + apply (IHon (refine bs i k true)); auto. apply (refine_sound ls bs i k true); auto.
    + apply (IHoff (refine bs i k false)); auto. apply (refine_sound ls bs i k false); auto. lra.
Qed.
End Sound.

(** * from values times G to values *)
Lemma affine_scaled G l h : saff G l (vscale G h) = vscale G (affine (layer_of l) h).
Proof.
  unfold saff, vscale, affine, layer_of. rewrite !map_map. apply map_ext. intros [w b]; simpl.
  assert (E : forall h', dot (map (fun v => IZR v / P (scale l)) w) h' = dot (zr w) h' / P (scale l)).
  { clear. unfold zr, Rdiv. induction w; intros [|t h]; simpl; try lra. rewrite IHw. lra. }
  rewrite E. change (map (Rmult G) h) with (vscale G h). rewrite dot_scale_r. unfold Rdiv. lra.
Qed.
Lemma below_scaled G hid x : 0 <= G -> below G (rev hid) (vscale G x) = vscale G (run (map layer_of hid) x).
Proof.
  intros HG. induction hid as [|l hid IH] using rev_ind; [reflexivity|].
  rewrite rev_app_distr, map_app. unfold run in *. rewrite fold_left_app. simpl. rewrite IH, affine_scaled.
  unfold step, vscale. rewrite !map_map. apply map_ext. intros. now apply relu_scale.
Qed.

Theorem check_on_sound g box low0 hid out p q goals :
  check_on g box low0 hid out p q goals = true ->
  forall x, in_box g box x -> (forall r, IZR (low0 r) <= dot (zr r) (vscale (P g) x)) ->
  forall goal t, In (goal, t) goals ->
  IZR p / IZR q <= dot (zr goal) (eval (net_of (map (fun lpf => fst (fst lpf)) hid) out) x).
Proof.
  unfold check_on. intros H x X H0 goal t I.
  apply andb_prop in H as [H H5]. apply andb_prop in H as [H H4]. apply andb_prop in H as [H H3].
  apply andb_prop in H as [H1 H2]. apply Z.leb_le in H1, H3. apply Z.ltb_lt in H2. pose proof (P_pos g H1) as HG.
  assert (X' : within box (vscale (P g) x)).
  { unfold vscale. clear -X. induction X as [|lh v b x I _ IH]; simpl; constructor; auto. unfold inb, inz in *. lra. }
  pose proof (collect_sound g box low0 _ H1 X' H0 hid [] [] Logic.I (Forall_nil _) H4) as K.
  destruct (collect g box low0 hid [] []) as [ls bs]. destruct K as [O [C ->]]. rewrite app_nil_r in *.
  rewrite forallb_forall in H5. specialize (H5 _ I). simpl in H5.
  assert (C' : scales (out :: rev (map (fun lpf => fst (fst lpf)) hid))) by (constructor; auto).
  pose proof (holds_sound g low0 _ H1 H0 out goal p q _ t H2 C' bs O H5) as B.
  rewrite below_scaled, affine_scaled, dot_scale_r in B by lra.
  apply Rmult_le_reg_r with (P g); auto. unfold eval, net_of. simpl. lra.
Qed.
Theorem check_sound hid out g box p q goals :
  check hid out g box p q goals = true ->
  forall x, in_box g box x -> forall goal t, In (goal, t) goals ->
  IZR p / IZR q <= dot (zr goal) (eval (net_of (map (fun lpf => fst (fst lpf)) hid) out) x).
Proof.
  intros H x X. eapply check_on_sound; eauto. intros r. apply least_sound.
  unfold vscale. clear -X. induction X as [|lh v b x I _ IH]; simpl; constructor; auto. unfold inb, inz in *. lra.
Qed.
