(** Boxes that are split, and zonotopes on them: soundness of the bounds of goals over all real points of a box. *)
From Coq Require Import Reals Lra List Lia ZArith Bool.
From CGRO Require Import Networks Bounds Soundness.
Import ListNotations.

(** * the program: a unit is c + sum n_k e_k + r, |e_k| <= 1, |r| <= lost, as the list c :: n; all over 2^(g+1) *)
Section Program.
Open Scope Z_scope.
Definition form := list Z.
Definition one : Z := 65536.
Definition sizes (f : list Z) : Z := fold_right (fun v t => Z.abs v + t) 0 f.
Fixpoint mix (r : list Z) (fs : list form) : form :=
  match r, fs with a :: r', f :: fs' => if a =? 0 then mix r' fs' else add (map (Z.mul a) f) (mix r' fs') | _, _ => [] end.
Definition norm (l : zlayer) : Z := fold_right (fun rb t => Z.max (sizes (fst rb)) t) 1 (rows l).
Definition cdiv (v n : Z) : Z := - shr (- v) n. (* rounded up *)
Definition on_layer (g : Z) (l : zlayer) (fs : list form) : list form :=
  map (fun rb => map (fun v => shr v (scale l)) (add [shl (snd rb) (g + 1)] (mix (fst rb) fs))) (rows l).
Definition slope (a b : Z) : Z := if 0 <=? a then one else if 0 <? b then one * b / (b - a) else 0.
Definition rise (p a b : Z) : Z := cdiv (Z.max (Z.max (- p * a) ((one - p) * b)) 0) 17.
(** k: the number of the next noise *)
Fixpoint on_relu (lost : Z) (k : nat) (fs : list form) : list form * nat :=
  match fs with
  | [] => ([], k)
  | f :: fs' =>
      let r := lost + sizes (tl f) in let a := hd0 f - r in let b := hd0 f + r in
      let p := slope a b in let up := rise p a b in
      let f' := if p =? 0 then [] else map (fun v => shr (p * v) 16) f in
      if up =? 0 then let (t, n) := on_relu lost k fs' in (f' :: t, n)
      else let (t, n) := on_relu lost (S k) fs' in (add f' (add [up] (repeat 0 k ++ [up])) :: t, n)
  end.
(** forms and lost of the outputs *)
Fixpoint through (g : Z) (hid : list zlayer) (out : zlayer) (fs : list form) (n : nat) (lost : Z) : list form * Z :=
  let size := Z.of_nat n + 1 in
  match hid with
  | [] => (on_layer g out fs, cdiv (lost * norm out) (scale out) + size)
  | l :: hid' =>
      let lost' := cdiv (lost * norm l) (scale l) + size in
      let (fs', n') := on_relu lost' n (on_layer g l fs) in through g hid' out fs' n' (lost' + size)
  end.
Fixpoint box_forms (k : nat) (b : bounds) : list form :=
  match b with [] => [] | lh :: b' => (fst lh + snd lh :: repeat 0 k ++ [snd lh - fst lh]) :: box_forms (S k) b' end.
Definition outputs_on g hid out (b : bounds) : list form * Z := through g hid out (box_forms 0 b) (S (length b)) 0.
(** p / q <= goal / size on the box whose outputs have these forms *)
Definition goal_holds (g p q : Z) (o : list form * Z) (gs : list Z * Z) : bool :=
  let f := mix (fst gs) (fst o) in
  (0 <? snd gs) && (shl (p * snd gs) (g + 1) <=? q * (hd0 f - sizes (tl f) - snd o * sizes (fst gs))).
Inductive btree := BLeaf (mixes : list (list Z)) | BSplit (input : nat) (at_ : Z) (below above : btree).
Fixpoint cap_at (j : nat) (low : bool) (v : Z) (b : bounds) : bounds :=
  match b, j with
  | (lo, hi) :: b', O => (if low then (v, hi) else (lo, v)) :: b'
  | lh :: b', S j' => lh :: cap_at j' low v b'
  | [], _ => []
  end.
Definition between (lh : Z * Z) (v : Z) : bool := (fst lh <=? v) && (v <=? snd lh).
(** goals: what a leaf's mixes make of the query's *)
Fixpoint check_boxes (g : Z) hid out (p q : Z) (goals : list (list Z) -> option (list (list Z * Z))) (b : bounds) (t : btree) : bool :=
  match t with
  | BLeaf mixes => match goals mixes with Some l => let o := outputs_on g hid out b in forallb (goal_holds g p q o) l | None => false end
  | BSplit j v below above =>
      Nat.ltb j (length b) && between (nthb j b) v &&
      check_boxes g hid out p q goals (cap_at j false v b) below && check_boxes g hid out p q goals (cap_at j true v b) above
  end.
End Program.

(** * soundness *)
Open Scope R_scope.
Definition unit_noise (z : vec) := Forall (fun v => Rabs v <= 1) z.
Definition value (z : vec) (f : form) : R := dot (zr f) z.
(** all values are those of the forms, up to lost *)
Definition close (lost : Z) (z : vec) (fs : list form) (t : vec) := Forall2 (fun f v => Rabs (v - value z f) <= IZR lost) fs t.

Lemma value_mix z r : forall fs, value z (mix r fs) = dot (zr r) (map (value z) fs).
Proof.
  unfold value, zr. induction r as [|a r IH]; intros [|f fs]; simpl; auto.
  destruct (Z.eqb_spec a 0) as [->|]; rewrite <- ?IH; [lra|]. change (map IZR) with zr. rewrite dot_add, dot_zmul. reflexivity.
Qed.
Lemma sizes_ge0 f : (0 <= sizes f)%Z.
Proof. induction f; simpl; lia. Qed.
Lemma abs_tri a b c d : Rabs a <= c -> Rabs b <= d -> Rabs (a + b) <= c + d.
Proof. intros. eapply Rle_trans; [apply Rabs_triang | lra]. Qed.
Lemma abs_mul k v c : Rabs v <= c -> Rabs (IZR k * v) <= IZR (Z.abs k) * c.
Proof. intros. rewrite Rabs_mult, abs_IZR. apply Rmult_le_compat_l; auto using Rabs_pos. Qed.
Lemma dot_noise f : forall z, unit_noise z -> Rabs (value z f) <= IZR (sizes f).
Proof.
  unfold value, zr. induction f as [|a f IH]; intros z U; simpl; [rewrite Rabs_R0; lra|]. rewrite plus_IZR.
  destruct U as [|v z B U]; simpl; [rewrite Rabs_R0; pose proof (sizes_ge0 f) as S; apply IZR_le in S; pose proof (IZR_le 0 (Z.abs a) ltac:(lia)); lra|].
  apply abs_tri; [|auto]. replace (IZR (Z.abs a)) with (IZR (Z.abs a) * 1) by lra. now apply abs_mul.
Qed.
Lemma dot_close lost z fs t : close lost z fs t -> (0 <= lost)%Z -> forall r, Rabs (dot (zr r) t - dot (zr r) (map (value z) fs)) <= IZR (sizes r) * IZR lost.
Proof.
  intros C L. apply IZR_le in L. unfold zr. induction C as [|f v fs t B C IH]; intros [|a r]; simpl; rewrite ?Rminus_eq_0, ?Rabs_R0; try lra.
  - pose proof (sizes_ge0 r) as S. apply IZR_le in S. rewrite plus_IZR. pose proof (IZR_le 0 (Z.abs a) ltac:(lia)). nra.
  - rewrite plus_IZR, Rmult_plus_distr_r.
    replace (IZR a * v + dot (map IZR r) t - (IZR a * value z f + dot (map IZR r) (map (value z) fs)))
      with (IZR a * (v - value z f) + (dot (map IZR r) t - dot (map IZR r) (map (value z) fs))) by ring.
    apply abs_tri; auto. now apply abs_mul.
Qed.
Lemma shr_close v n : (0 <= n)%Z -> Rabs (IZR (shr v n) - IZR v / P n) <= 1.
Proof.
  intros N. pose proof (IZR_shr v n N) as U. pose proof (P_pos n N) as Q.
  assert (IZR v / P n <= IZR (shr v n) + 1).
  { apply Rmult_le_reg_r with (P n); auto. unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
    unfold P, shr. rewrite <- plus_IZR, <- mult_IZR. apply IZR_le.
    pose proof (Z.pow_pos_nonneg 2 n ltac:(lia) N). pose proof (Z.mod_pos_bound v (2 ^ n) ltac:(lia)). pose proof (Z.div_mod v (2 ^ n) ltac:(lia)). nia. }
  apply Rabs_le. lra.
Qed.
Lemma cdiv_ge v n : (0 <= n)%Z -> IZR v / P n <= IZR (cdiv v n).
Proof. intros N. unfold cdiv. rewrite opp_IZR. pose proof (IZR_shr (- v) n N). rewrite opp_IZR in H. unfold Rdiv in *. lra. Qed.
(** rounding every coefficient down loses at most their number *)
Lemma value_rounded (h : Z -> Z) c f : (forall v, Rabs (IZR (h v) - c * IZR v) <= 1) -> forall z, unit_noise z ->
  Rabs (value z (map h f) - c * value z f) <= INR (length f).
Proof.
  intros H. unfold value, zr. induction f as [|a f IH]; intros z U; [simpl; rewrite Rmult_0_r, Rminus_0_r, Rabs_R0; lra|].
  cbn [length]. rewrite S_INR. destruct U as [|v z B U].
  - simpl. rewrite Rmult_0_r, Rminus_0_r, Rabs_R0. pose proof (pos_INR (length f)). lra.
  - cbn [map dot]. replace (IZR (h a) * v + dot (map IZR (map h f)) z - c * (IZR a * v + dot (map IZR f) z))
      with ((dot (map IZR (map h f)) z - c * dot (map IZR f) z) + (IZR (h a) - c * IZR a) * v) by ring.
    apply abs_tri; auto. rewrite Rabs_mult. rewrite <- (Rmult_1_r 1). apply Rmult_le_compat; auto using Rabs_pos.
Qed.
Definition short (n : nat) (fs : list form) := Forall (fun f => (length f <= n)%nat) fs.
Lemma add_length a : forall b n, (length a <= n -> length b <= n -> length (add a b) <= n)%nat.
Proof. induction a; intros [|v b] [|n]; simpl; intros; try lia. apply le_n_S, IHa; lia. Qed.
Lemma mix_length n r : forall fs, short n fs -> (length (mix r fs) <= n)%nat.
Proof.
  induction r as [|a r IH]; intros [|f fs] H; simpl; try lia. inversion H; subst.
  destruct (a =? 0)%Z; [now apply IH|]. apply add_length; [rewrite map_length|]; auto.
Qed.
Lemma norm_ge l w b : In (w, b) (rows l) -> (sizes w <= norm l)%Z.
Proof. unfold norm. induction (rows l) as [|rb t IH]; intros []; simpl; [subst; simpl; lia|]. specialize (IH H). lia. Qed.
Lemma norm_pos l : (1 <= norm l)%Z.
Proof. unfold norm. induction (rows l); simpl; lia. Qed.

Section OnBox.
Variable g : Z.
Hypothesis g0 : (0 <= g)%Z.
Let G := P (g + 1).
(** the first coordinate of the noise is 1 *)
Definition noise (n : nat) (z : vec) := length z = n /\ unit_noise z /\ nth 0 z 0 = 1.
Lemma noise_app n z y : noise n z -> unit_noise y -> (0 < n)%nat -> noise (n + length y) (z ++ y).
Proof.
  intros [L [U H]] Y N. repeat split; [rewrite app_length; lia | apply Forall_app; auto |]. rewrite app_nth1; auto; lia.
Qed.
Lemma on_layer_close l fs n lost z t : (0 <= scale l)%Z -> (0 <= lost)%Z -> (0 < n)%nat -> noise n z -> short n fs -> close lost z fs t ->
  close (cdiv (lost * norm l) (scale l) + (Z.of_nat n + 1)) z (on_layer g l fs) (saff G l t) /\ short n (on_layer g l fs).
Proof.
  intros C L N [Lz [U H]] Sh Cl. pose proof (P_pos _ C) as Q. split.
  - unfold on_layer, saff, close. pose proof (norm_ge l) as Nr. revert Nr. induction (rows l) as [|[w b] rs IH]; intros Nr; [constructor|].
    cbn [map fst snd]. constructor; [|apply IH; intros; apply (Nr w0 b0); now right]. clear IH.
    set (f := add [shl b (g + 1)] (mix w fs)).
    assert (V : value z f = IZR b * G + dot (zr w) (map (value z) fs)).
    { unfold f, value. rewrite dot_add. fold (value z (mix w fs)). rewrite value_mix. f_equal. unfold zr; cbn [map]. destruct z as [|v z]; simpl in *; [lia|].
      rewrite IZR_shl. fold G. rewrite H. lra. }
    pose proof (value_rounded (fun v => shr v (scale l)) (/ P (scale l)) f) as R.
    assert (Rn : forall v, Rabs (IZR (shr v (scale l)) - / P (scale l) * IZR v) <= 1).
    { intros v. replace (/ P (scale l) * IZR v) with (IZR v / P (scale l)) by (unfold Rdiv; ring). now apply shr_close. }
    specialize (R Rn z U).
    assert (Lf : (length f <= n)%nat) by (apply add_length; [simpl; lia | now apply mix_length]). apply le_INR in Lf.
    pose proof (dot_close lost z fs t Cl L w) as D.
    assert (B : IZR (sizes w) * IZR lost <= IZR (lost * norm l)).
    { rewrite <- mult_IZR. apply IZR_le. pose proof (Nr w b (or_introl eq_refl)). nia. }
    pose proof (cdiv_ge (lost * norm l) (scale l) C) as Cd.
    rewrite !plus_IZR, <- INR_IZR_INZ.
    replace ((dot (zr w) t + IZR b * G) / P (scale l) - value z (map (fun v => shr v (scale l)) f))
      with ((dot (zr w) t - dot (zr w) (map (value z) fs)) / P (scale l) + - (value z (map (fun v => shr v (scale l)) f) - / P (scale l) * value z f))
      by (rewrite V; field; lra).
    eapply Rle_trans; [apply abs_tri with (d := INR n)|].
    + unfold Rdiv. rewrite Rabs_mult, (Rabs_right (/ P (scale l))) by (apply Rle_ge, Rlt_le, Rinv_0_lt_compat; auto).
      apply Rmult_le_compat_r; [apply Rlt_le, Rinv_0_lt_compat; auto|]. eapply Rle_trans; [exact D | exact B].
    + rewrite Rabs_Ropp. lra.
    + unfold Rdiv in Cd. lra.
  - unfold on_layer, short. rewrite Forall_map. apply Forall_forall. intros [w b] _. rewrite map_length.
    apply add_length; [simpl; lia | now apply mix_length].
Qed.

Lemma one_P : IZR one = P 16. Proof. reflexivity. Qed.
Lemma slope_range a b : (0 <= slope a b <= one)%Z.
Proof.
  unfold slope, one. destruct (Z.leb_spec 0 a); [lia|]. destruct (Z.ltb_spec 0 b); [|lia].
  split; [apply Z.div_pos; lia|]. apply Z.div_le_upper_bound; lia.
Qed.
(** 0 <= relu t - p t <= 2 up *)
Lemma rise_sound a b t : IZR a <= t <= IZR b -> let p := slope a b in
  0 <= relu t - IZR p / IZR one * t <= 2 * IZR (rise p a b) /\ (0 <= rise p a b)%Z.
Proof.
  intros T p. pose proof (slope_range a b) as [S0 S1]. fold p in S0, S1. apply IZR_le in S0, S1.
  pose proof (cdiv_ge (Z.max (Z.max (- p * a) ((one - p) * b)) 0) 17 ltac:(lia)) as C. fold (rise p a b) in C.
  set (m := Z.max _ 0) in *. assert (M1 : IZR (- p * a) <= IZR m) by (apply IZR_le; lia). assert (M2 : IZR ((one - p) * b) <= IZR m) by (apply IZR_le; lia).
  assert (M0 : 0 <= IZR m) by (apply IZR_le; lia). rewrite mult_IZR, opp_IZR in M1. rewrite mult_IZR, minus_IZR in M2.
  replace (P 17) with (2 * IZR one) in C by (rewrite one_P; unfold P; simpl; lra).
  assert (O : 0 < IZR one) by (apply IZR_lt; reflexivity). set (w := IZR one) in *. set (s := IZR p) in *.
  assert (C' : IZR m <= 2 * w * IZR (rise p a b)). { apply Rmult_le_reg_r with (/ (2 * w)); [apply Rinv_0_lt_compat; lra|]. replace (2 * w * IZR (rise p a b) * / (2 * w)) with (IZR (rise p a b)) by (field; lra). unfold Rdiv in C. lra. }
  split.
  - assert (K : w * (relu t - s / w * t) = w * relu t - s * t) by (field; lra).
    assert (0 <= w * relu t - s * t <= IZR m).
    { destruct (relu_cases t) as [[H E]|[H E]]; rewrite E; split; nra. }
    split; apply Rmult_le_reg_l with w; auto; rewrite K; lra.
  - assert (H : 0 <= IZR (rise p a b)) by nra. now apply le_IZR in H.
Qed.
Lemma value_app_short n f z y : length z = n -> (length f <= n)%nat -> value (z ++ y) f = value z f.
Proof. intros L H. unfold value, zr. apply dot_short. rewrite map_length. lia. Qed.
Lemma value_split f z : nth 0 z 0 = 1 -> value z f = IZR (hd0 f) + value (tl z) (tl f).
Proof. unfold value, zr. destruct f as [|a f], z as [|v z]; simpl; intros; try lra; rewrite ?dot_nil_r; try lra. subst; lra. Qed.
Lemma value_tl f z : nth 0 z 0 = 1 -> unit_noise z -> Rabs (value z f - IZR (hd0 f)) <= IZR (sizes (tl f)).
Proof.
  intros H U. rewrite value_split by auto. replace (IZR (hd0 f) + value (tl z) (tl f) - IZR (hd0 f)) with (value (tl z) (tl f)) by ring.
  apply dot_noise. destruct U; [constructor | auto].
Qed.
Lemma on_relu_close lost n z : noise n z -> (0 < n)%nat -> (0 <= lost)%Z -> forall fs t y0, short n fs -> close lost z fs t -> unit_noise y0 ->
  let (fs', k') := on_relu lost (n + length y0) fs in
  exists y1, (n + length y0 + length y1)%nat = k' /\ unit_noise y1 /\ short k' fs' /\ close (lost + (Z.of_nat n + 1)) (z ++ y0 ++ y1) fs' (map relu t).
Proof.
  intros [Lz [U H]] N L. apply IZR_le in L as L'. induction fs as [|f fs IH]; intros t y0 Sh Cl Y; inversion Cl as [|? v ? t' B Cl']; subst; cbn [on_relu].
  - exists []. rewrite app_nil_r. simpl. repeat split; [lia | constructor | constructor | constructor].
  - inversion Sh as [|? ? Lf Sh']; subst. set (n := length z) in *.
    set (r := (lost + sizes (tl f))%Z). set (a := (hd0 f - r)%Z). set (b := (hd0 f + r)%Z).
    assert (T : IZR a <= v <= IZR b).
    { unfold a, b, r. rewrite minus_IZR, !plus_IZR. pose proof (value_tl f z H U) as V.
      apply Rabs_def2 with (a := IZR lost + 1) in B as [] || idtac. revert V B. unfold Rabs; repeat destruct Rcase_abs; lra. }
    pose proof (rise_sound a b v T) as [Rs R0]. pose proof (slope_range a b) as [S0 S1]. set (p := slope a b) in *.
    set (up := rise p a b) in *. apply IZR_le in S0 as S0', S1 as S1'. assert (O : 0 < IZR one) by (apply IZR_lt; reflexivity).
    set (f' := if (p =? 0)%Z then [] else map (fun v => shr (p * v) 16) f).
    assert (Lf' : (length f' <= n)%nat) by (unfold f'; destruct (p =? 0)%Z; simpl; rewrite ?map_length; lia).
    assert (F : Rabs (value z f' - IZR p / IZR one * value z f) <= INR n).
    { unfold f'. destruct (Z.eqb_spec p 0) as [->|].
      - unfold value at 1; simpl. replace (0 - 0 / IZR one * value z f) with 0 by (unfold Rdiv; ring). rewrite Rabs_R0. apply pos_INR.
      - eapply Rle_trans; [apply (value_rounded (fun v => shr (p * v) 16) (IZR p / IZR one)); auto|].
        + intros u. replace (IZR p / IZR one * IZR u) with (IZR (p * u) / P 16) by (rewrite mult_IZR, one_P; unfold Rdiv; ring). apply shr_close; lia.
        + now apply le_INR. }
    (* relu v - 2 up * (something in [0, 1]) is within lost + n of value z f' *)
    assert (E : Rabs (IZR p / IZR one * v - value z f') <= IZR lost + INR n).
    { replace (IZR p / IZR one * v - value z f') with (IZR p / IZR one * (v - value z f) + - (value z f' - IZR p / IZR one * value z f)) by ring.
      apply abs_tri; [|now rewrite Rabs_Ropp]. rewrite Rabs_mult. rewrite <- (Rmult_1_l (IZR lost)). apply Rmult_le_compat; auto using Rabs_pos.
      rewrite Rabs_right by (apply Rle_ge, Rmult_le_pos; [lra | apply Rlt_le, Rinv_0_lt_compat; lra]).
      apply Rmult_le_reg_r with (IZR one); auto. unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra. }
    assert (Zn : IZR (lost + (Z.of_nat n + 1)) = IZR lost + INR n + 1) by (rewrite !plus_IZR, <- INR_IZR_INZ; lra).
    destruct (Z.eqb_spec up 0) as [U0|U0].
    + specialize (IH t' y0 Sh' Cl' Y). destruct (on_relu lost (n + length y0) fs) as [fs' k']. destruct IH as [y1 [K [Y1 [Sk C1]]]].
      exists y1. repeat split; auto; constructor; auto; [lia|]. rewrite Zn, (value_app_short n) by auto. rewrite U0 in Rs.
      replace (relu v) with (IZR p / IZR one * v) by lra. lra.
    + assert (Up : 0 < IZR up) by (apply IZR_lt; lia).
      set (e := (relu v - IZR p / IZR one * v) / IZR up - 1).
      assert (Ev : relu v = IZR p / IZR one * v + IZR up + IZR up * e) by (unfold e; field; lra).
      assert (Ee : Rabs e <= 1).
      { unfold e. apply Rabs_le. assert (0 <= (relu v - IZR p / IZR one * v) / IZR up <= 2); [|lra].
        split; [apply Rmult_le_pos; [lra | apply Rlt_le, Rinv_0_lt_compat; auto]|]. apply Rmult_le_reg_r with (IZR up); auto. unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra. }
      specialize (IH t' (y0 ++ [e]) Sh' Cl' ltac:(apply Forall_app; auto)). rewrite app_length in IH. simpl length in IH.
      replace (n + (length y0 + 1))%nat with (S (n + length y0)) in IH by lia.
      destruct (on_relu lost (S (n + length y0)) fs) as [fs' k']. destruct IH as [y1 [K [Y1 [Sk C1]]]].
      exists (e :: y1). rewrite <- app_assoc in C1. cbn [app] in C1. repeat split; [simpl; lia | now constructor | constructor; auto |constructor; auto].
      * apply add_length; [lia|]. apply add_length; [simpl; lia|]. rewrite app_length, repeat_length. simpl. lia.
      * rewrite Zn. unfold value. rewrite !dot_add. fold (value (z ++ y0 ++ e :: y1) f'). rewrite (value_app_short n) by auto.
        rewrite (dot_unit (n + length y0)). replace (nth (n + length y0) (z ++ y0 ++ e :: y1) 0) with e.
        2: { rewrite app_assoc, app_nth2; rewrite app_length; [|lia]. fold n. now rewrite Nat.sub_diag. }
        replace (dot (zr [up]) (z ++ y0 ++ e :: y1)) with (IZR up).
        2: { assert (Lz' : length z = S (pred n)) by (fold n; lia). clear -Lz' H. unfold zr. destruct z as [|z0 z']; [discriminate Lz'|]. cbn [nth] in H. cbn [map dot app]. rewrite H. lra. }
        rewrite Ev. replace (IZR p / IZR one * v + IZR up + IZR up * e - (value z f' + (IZR up + IZR up * e))) with (IZR p / IZR one * v - value z f') by ring. lra.
Qed.

Lemma cdiv_ge0 v n : (0 <= v)%Z -> (0 <= n)%Z -> (0 <= cdiv v n)%Z.
Proof.
  intros V N. unfold cdiv, shr. pose proof (Z.pow_pos_nonneg 2 n ltac:(lia) N). assert (- v / 2 ^ n <= 0)%Z; [|lia].
  apply Z.div_le_upper_bound; lia.
Qed.
Lemma through_close out : (0 <= scale out)%Z -> forall hid fs n lost z t, scales hid -> (0 <= lost)%Z -> (0 < n)%nat -> noise n z -> short n fs -> close lost z fs t ->
  let (fs', lost') := through g hid out fs n lost in
  exists z', unit_noise z' /\ nth 0 z' 0 = 1 /\ (0 <= lost')%Z /\ close lost' z' fs' (saff G out (fold_left (fun h l => map relu (saff G l h)) hid t)).
Proof.
  intros So. induction hid as [|l hid IH]; intros fs n lost z t Sc L N Z Sh Cl; cbn [through fold_left].
  - destruct (on_layer_close out fs n lost z t So L N Z Sh Cl) as [A B]. exists z. destruct Z as [_ [U H]]. repeat split; auto.
    pose proof (norm_pos out). pose proof (cdiv_ge0 (lost * norm out) (scale out)). nia.
  - inversion Sc as [|? ? Sl Sc']; subst. destruct (on_layer_close l fs n lost z t Sl L N Z Sh Cl) as [A B].
    set (lost' := (cdiv (lost * norm l) (scale l) + (Z.of_nat n + 1))%Z) in *.
    assert (L' : (0 <= lost')%Z) by (pose proof (norm_pos l); pose proof (cdiv_ge0 (lost * norm l) (scale l)); unfold lost'; nia).
    pose proof (on_relu_close lost' n z Z N L' (on_layer g l fs) _ [] B A ltac:(constructor)) as R. simpl length in R. rewrite Nat.add_0_r in R.
    destruct (on_relu lost' n (on_layer g l fs)) as [fs' n']. destruct R as [y [K [Y [Sk C]]]]. simpl app in C.
    apply (IH fs' n' _ (z ++ y)); auto; try lia. subst n'. now apply noise_app.
Qed.
Lemma box_forms_close b x : Forall2 (inb (P g)) b x -> exists e, length e = length b /\ unit_noise e /\
  forall pre, close 0 (1 :: pre ++ e) (box_forms (length pre) b) (vscale G x) /\ short (S (length pre + length b)) (box_forms (length pre) b).
Proof.
  assert (EG : G = 2 * P g) by (unfold G; rewrite P_add by lia; unfold P at 2; simpl; lra). pose proof (P_pos g g0) as PG.
  induction 1 as [|[lo hi] v b x I W IH]; [exists []; repeat split; intros; constructor|].
  destruct IH as [e [Le [Ue IH]]]. unfold inb in I; cbn [fst snd] in I.
  set (d := IZR (hi - lo)). assert (D : d = IZR hi - IZR lo) by (unfold d; apply minus_IZR).
  assert (exists c, Rabs c <= 1 /\ v * G = IZR lo + IZR hi + d * c) as [c [Cc Ev]].
  { rewrite EG. destruct (Req_dec d 0) as [Z|Z]; [exists 0; rewrite Rabs_R0; split; lra|].
    exists ((2 * (v * P g) - IZR lo - IZR hi) / d). split; [|field; auto].
    assert (0 < d) by lra. apply Rabs_le. split; apply Rmult_le_reg_r with d; auto; unfold Rdiv; rewrite Rmult_assoc, Rinv_l by auto; lra. }
  exists (c :: e). repeat split; [simpl; lia | now constructor | |]; specialize (IH (pre ++ [c])); rewrite app_length in IH; simpl length in IH;
    replace (length pre + 1)%nat with (S (length pre)) in IH by lia; rewrite <- app_assoc in IH; destruct IH as [IH1 IH2].
  - cbn [box_forms vscale map]. constructor; [|exact IH1]. unfold value, zr; cbn [map fst snd dot]. fold (zr (repeat 0%Z (length pre) ++ [(hi - lo)%Z])).
    rewrite dot_unit, app_nth2, Nat.sub_diag by lia. cbn [nth]. fold d. rewrite plus_IZR. rewrite Rmult_comm, Ev.
    replace (IZR lo + IZR hi + d * c - ((IZR lo + IZR hi) * 1 + d * c)) with 0 by ring. rewrite Rabs_R0. lra.
  - cbn [box_forms]. constructor; [simpl; rewrite app_length, repeat_length; simpl; lia|]. simpl length. 
    replace (S (length pre + S (length b))) with (S (S (length pre) + length b)) by lia. exact IH2.
Qed.

Lemma goal_holds_sound hid out p q b x gs : scales (out :: hid) -> (0 < q)%Z -> in_box g b x ->
  goal_holds g p q (outputs_on g hid out b) gs = true ->
  (0 < snd gs)%Z /\ IZR p / IZR q * IZR (snd gs) <= dot (zr (fst gs)) (eval (net_of hid out) x).
Proof.
  intros Sc Q X H. inversion Sc as [|? ? So Sh]; subst. apply IZR_lt in Q. destruct (box_forms_close b x X) as [e [Le [Ue F]]]. destruct (F []) as [F1 F2]. cbn [length app Nat.add] in F1, F2.
  assert (U1 : unit_noise (1 :: e)) by (constructor; auto; rewrite Rabs_R1; lra).
  pose proof (through_close out So hid (box_forms 0 b) (S (length b)) 0 (1 :: e) (vscale G x) Sh ltac:(lia) ltac:(lia)) as T.
  unfold outputs_on in H. destruct (through g hid out (box_forms 0 b) (S (length b)) 0) as [fs lost].
  destruct T as [z [U [Z1 [L C]]]]; [repeat split; simpl; auto | exact F2 | exact F1 |].
  unfold goal_holds in H. cbn [fst snd] in H. apply andb_prop in H as [H0 H]. apply Z.ltb_lt in H0. split; auto.
  apply Z.leb_le, IZR_le in H. rewrite IZR_shl, !mult_IZR, !minus_IZR, mult_IZR in H. fold G in H.
  pose proof (dot_close lost z fs _ C L (fst gs)) as D. rewrite <- value_mix in D.
  pose proof (value_tl (mix (fst gs) fs) z Z1 U) as V.
  assert (PG : 0 < G) by (apply P_pos; lia).
  assert (Ev : saff G out (fold_left (fun h l => map relu (saff G l h)) hid (vscale G x)) = vscale G (eval (net_of hid out) x)).
  { unfold net_of, eval. cbn [hidden readout]. rewrite <- affine_scaled. f_equal. clear -PG. revert x. induction hid as [|l hid IH]; intros x; [reflexivity|].
    cbn [fold_left map]. rewrite affine_scaled. replace (map relu (vscale G (affine (layer_of l) x))) with (vscale G (step x (layer_of l))).
    - rewrite IH. reflexivity.
    - unfold step, vscale. rewrite !map_map. apply map_ext. intros v. rewrite relu_scale; lra. }
  rewrite Ev, dot_scale_r in D. set (y := dot (zr (fst gs)) (eval (net_of hid out) x)) in *.
  set (c := IZR (hd0 (mix (fst gs) fs))) in *. set (s := IZR (sizes (tl (mix (fst gs) fs)))) in *. set (w := IZR (sizes (fst gs))) in *.
  assert (K : c - s - IZR lost * w <= G * y) by (revert D V; unfold Rabs; repeat destruct Rcase_abs; nra).
  apply Rmult_le_reg_l with (IZR q * G); [nra|]. replace (IZR q * G * (IZR p / IZR q * IZR (snd gs))) with (IZR p * IZR (snd gs) * G) by (field; lra). nra.
Qed.

Lemma nth_in_box (b : bounds) (x : vec) : Forall2 (inb (P g)) b x -> forall j, (j < length b)%nat -> inb (P g) (nthb j b) (nth j x 0).
Proof. unfold nthb. induction 1; intros [|j] J; simpl in *; try lia; auto. apply IHForall2; lia. Qed.
Lemma cap_at_sound (low : bool) v b x : Forall2 (inb (P g)) b x -> forall j,
  (if low then IZR v <= nth j x 0 * P g else nth j x 0 * P g <= IZR v) -> Forall2 (inb (P g)) (cap_at j low v b) x.
Proof.
  unfold inb. induction 1 as [|[lo hi] u b x I W IH]; intros j H; [destruct j; constructor|]. destruct j as [|j]; cbn [cap_at nth] in *; constructor; auto.
  destruct low; simpl in *; lra.
Qed.
Theorem check_boxes_sound hid out p q goals : scales (out :: hid) -> (0 < q)%Z -> forall t b, check_boxes g hid out p q goals b t = true ->
  forall x, in_box g b x -> exists mixes l, goals mixes = Some l /\
  forall gs, In gs l -> (0 < snd gs)%Z /\ IZR p / IZR q * IZR (snd gs) <= dot (zr (fst gs)) (eval (net_of hid out) x).
Proof.
  intros Sc Q. induction t as [mixes | j v t1 IH1 t2 IH2]; intros b H x X; cbn [check_boxes] in H.
  - destruct (goals mixes) as [l|] eqn:E; [|discriminate]. exists mixes, l. split; auto. intros gs I. rewrite forallb_forall in H.
    eapply goal_holds_sound; eauto.
  - apply andb_prop in H as [H H2]. apply andb_prop in H as [H H1]. destruct (Rle_or_lt (nth j x 0 * P g) (IZR v)).
    + apply (IH1 _ H1). now apply cap_at_sound.
    + apply (IH2 _ H2). apply cap_at_sound; auto. lra.
Qed.
End OnBox.
