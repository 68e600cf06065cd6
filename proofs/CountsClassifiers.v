(** Main theorems [params_memorize2] and [params_memorizeK]: how many nonzero numbers f_S has over any network of indicators, for every
    f_clean (of any depth), N, D and K: those of the indicators, of f_clean (its readout twice), of the waiting layers, and a constant. *)
From Coq Require Import Reals Lra List Lia Arith Bool.
From CGRO Require Import Networks Squaring Multiplication Counts Indicators Memorize MemorizeClasses MemorizeIndicators Composition.
Import ListNotations.
Open Scope R_scope.

(** A delay by identities, of a network whose readout rows have separate supports. *)
Lemma params_ident n : params_layer (ident n) = n.
Proof.
  unfold params_layer, ident. rewrite map_map. transitivity (list_sum (map (fun _ => 1%nat) (seq 0 n))).
  - f_equal. apply map_ext. intros i. cbn [fst snd]. now rewrite count_idrow, nz_0.
  - rewrite <- (seq_length n 0) at 2. generalize (seq 0 n). induction l; auto. simpl in *. lia.
Qed.
(** Layers that carry n numbers. *)
Lemma params_repeat_ident n k : params_of (repeat (ident n) k) = (k * n)%nat.
Proof.
  induction k; auto. cbn [repeat]. rewrite params_of_cons, IHk, params_ident. lia.
Qed.
(** Zeros count nothing. *)
Lemma count_zero_biases n : count (repeat 0 n) = 0%nat.
Proof. apply count_zeros. Qed.
(** The identity's rows have separate supports. *)
Lemma blocks_ident n : blocks (ident n) (repeat 1%nat n).
Proof.
  split; [now rewrite repeat_length, ident_length|]. intros r.
  transitivity (count (firstn n r)).
  - apply count_ext. intros j. rewrite nth_vcomb. unfold ident. rewrite !map_map. cbn [fst].
    revert r. assert (A : forall m s r, (s + m <= n)%nat -> dot r (map (fun i => nth j (idrow n i) 0) (seq s m)) = if ((s <=? j) && (j <? n))%nat then nth (j - s) (firstn m r) 0 else 0).
    { induction m; intros s r Hs.
      - simpl. rewrite dot_nil_r. destruct ((s <=? j) && (j <? n))%nat; auto; destruct (j - s)%nat; reflexivity.
      - cbn [seq map]. destruct r as [|a r]; cbn [dot firstn].
        + destruct ((s <=? j) && (j <? n))%nat; auto; destruct (j - s)%nat; reflexivity.
        + rewrite IHm by lia. unfold idrow. destruct (lt_eq_lt_dec j s) as [[H|H]|H].
          * rewrite app_nth1 by (rewrite repeat_length; lia). rewrite nth_repeat.
            replace (s <=? j)%nat with false by (symmetry; apply Nat.leb_gt; lia). replace (S s <=? j)%nat with false by (symmetry; apply Nat.leb_gt; lia). simpl. lra.
          * subst s. rewrite app_nth2 by (rewrite repeat_length; lia). rewrite repeat_length, Nat.sub_diag.
            replace (j <=? j)%nat with true by (symmetry; apply Nat.leb_le; lia). replace (S j <=? j)%nat with false by (symmetry; apply Nat.leb_gt; lia).
            replace (j <? n)%nat with true by (symmetry; apply Nat.ltb_lt; lia). simpl. lra.
          * rewrite app_nth2 by (rewrite repeat_length; lia). rewrite repeat_length.
            replace (s <=? j)%nat with true by (symmetry; apply Nat.leb_le; lia). replace (S s <=? j)%nat with true by (symmetry; apply Nat.leb_le; lia).
            replace (j - s)%nat with (S (j - S s)) by lia. cbn [nth]. rewrite nth_repeat. simpl andb. destruct (j <? n)%nat; lra. }
    intros r. rewrite (A n 0%nat r) by lia. rewrite Nat.sub_0_r. cbn [Nat.leb andb]. destruct (Nat.ltb_spec j n); auto.
    symmetry. apply nth_overflow. rewrite firstn_length. lia.
  - revert r. induction n; intros [|a r]; cbn [firstn repeat wcount]; auto. rewrite count_cons, IHn. lia.
Qed.
(** One row picks one row. *)
Lemma count_pick n i (rows : list vec) : length rows = n -> (i < n)%nat -> count (vcomb (idrow n i) rows) = count (nth i rows []).
Proof.
  intros L I. apply count_ext. intros j. rewrite nth_vcomb, dot_idrow by (rewrite ?map_length; auto).
  rewrite (nth_indep _ 0 (nth j [] 0)) by (rewrite map_length; unfold vec in *; lia). now rewrite (map_nth (fun w => nth j w 0)).
Qed.
(** Signs of the coefficients do not matter. *)
Lemma vcomb_opp r : forall rows, count (vcomb (map Ropp r) rows) = count (vcomb r rows).
Proof.
  intros rows. rewrite <- (count_opp (vcomb r rows)). apply count_ext. intros j.
  replace (nth j (map Ropp (vcomb r rows)) 0) with (- nth j (vcomb r rows) 0) by (rewrite <- (map_nth Ropp), Ropp_0; reflexivity).
  now rewrite !nth_vcomb, dot_opp.
Qed.
(** A layer's count, row by row. *)
Lemma params_layer_rows (l : layer) : params_layer l = list_sum (map (fun i => (count (nth i (map fst l) []) + nz (nth i (map snd l) 0%R))%nat) (seq 0 (length l))).
Proof.
  unfold params_layer. f_equal. induction l as [|[r b] l IH]; auto. cbn [length seq map nth fst snd]. f_equal.
  rewrite IH. rewrite <- seq_shift, map_map. reflexivity.
Qed.
(** Merging with an identity changes no count. *)
Lemma params_merge_ident n l : length l = n -> params_layer (merge (ident n) l) = params_layer l.
Proof.
  intros L. rewrite (params_layer_rows l), L. unfold params_layer at 1, merge, ident. rewrite !map_map. f_equal. apply map_ext_in.
  intros i I. apply in_seq in I. cbn [fst snd]. rewrite count_pick, dot_idrow by (rewrite ?map_length; auto; lia). f_equal. apply nz_eq. lra.
Qed.
(** A sum over pairs of rows. *)
Lemma sum_flat2 (f h : nat -> vec) g l : list_sum (map g (flat_map (fun i => [(f i, 0%R); (h i, 0%R)]) l)) = list_sum (map (fun i => (g (f i, 0%R) + g (h i, 0%R))%nat) l).
Proof. induction l as [|i l IH]; auto. simpl in *. lia. Qed.
(** Equal summands, equal sums. *)
Lemma list_sum_ext (f g : nat -> nat) l : (forall i, In i l -> f i = g i) -> list_sum (map f l) = list_sum (map g l).
Proof. intros H. f_equal. now apply map_ext_in. Qed.
(** Doubled summands. *)
Lemma list_sum_double (f : nat -> nat) l : list_sum (map (fun i => (2 * f i)%nat) l) = (2 * list_sum (map f l))%nat.
Proof. unfold list_sum. induction l; cbn [map fold_right]; auto. rewrite IHl. lia. Qed.
(** Constant summands. *)
Lemma list_sum_const (k : nat) n : list_sum (map (fun _ => k) (seq 0 n)) = (n * k)%nat.
Proof. generalize 0%nat. induction n; intros s; auto. cbn [seq map]. simpl. unfold list_sum in IHn. rewrite IHn. lia. Qed.
(** Positive and negative parts double a readout. *)
Lemma params_merge_split n l : length l = n -> params_layer (merge (splitK n) l) = (2 * params_layer l)%nat.
Proof.
  intros L. rewrite (params_layer_rows l), L, <- list_sum_double. unfold params_layer, merge, splitK, rows2. rewrite map_map, sum_flat2.
  apply list_sum_ext. intros i I. apply in_seq in I. cbn [fst snd].
  rewrite vcomb_opp, count_pick, dot_opp, dot_idrow by (rewrite ?map_length; auto; lia).
  rewrite (nz_eq (nth i (map snd l) 0 + 0) (nth i (map snd l) 0)) by lra.
  rewrite (nz_eq (- nth i (map snd l) 0 + 0) (- nth i (map snd l) 0)), nz_opp by lra. lia.
Qed.
(** A row that joins two parts. *)
Lemma count_pick_row n i w : (i < n)%nat -> count (pick n i w) = (2 + count w)%nat.
Proof. intros I. unfold pick. rewrite count_app, !count_cons, !count_app, !count_zeros, !nz_1 by lra. lia. Qed.
(** The readout that joins n numbers. *)
Lemma params_join n : params_layer (joinK n) = (2 * n)%nat.
Proof.
  unfold params_layer, joinK. rewrite map_map. transitivity (list_sum (map (fun _ => 2%nat) (seq 0 n))); [|rewrite list_sum_const; lia].
  apply list_sum_ext. intros i I. apply in_seq in I. cbn [fst snd]. rewrite count_pick_row, nz_0 by lia. reflexivity.
Qed.
(** What f_clean costs behind a gate: its readout twice, and 2 K for each layer that waits and one more. *)
Definition wait (K a : nat) : nat := match a with O => 0 | S _ => (2 * K * (a + 1))%nat end.
(** K outputs that wait. *)
Lemma params_delayed K a f : length (readout f) = K -> let f' := delay a (carryK K a) f in
  length (readout f') = K /\ (hid f' + 2 * out f' = hid f + 2 * out f + wait K a)%nat.
Proof.
  intros L. destruct a as [|a]; cbn [delay wait]; [split; [auto | lia]|].
  destruct (hid_compose (carryK K (S a)) f (splitK K) (repeat (ident (2 * K)) a) eq_refl) as [H R].
  cbv zeta. unfold out. rewrite H, R. cbn [carryK readout]. rewrite params_merge_split, params_repeat_ident, params_join by auto. split.
  - unfold joinK. now rewrite map_length, seq_length.
  - lia.
Qed.
(** One output that waits. *)
Lemma params_delayed1 a f : length (readout f) = 1%nat -> let f' := delay a (carry1 a) f in
  length (readout f') = 1%nat /\ (hid f' + 2 * out f' = hid f + 2 * out f + wait 1 a)%nat.
Proof.
  intros L. destruct a as [|a]; cbn [delay wait]; [split; [auto | lia]|].
  destruct (hid_compose (carry1 (S a)) f split1 (repeat (ident 2) a) eq_refl) as [H R].
  cbv zeta. unfold out. rewrite H, R. cbn [carry1 readout]. rewrite params_repeat_ident.
  replace (params_layer (merge split1 (readout f))) with (2 * params_layer (readout f))%nat.
  2: { rewrite <- (params_merge_split 1) by auto. reflexivity. }
  replace (params_layer join1) with 2%nat by (unfold join1; counted). split; [reflexivity | lia].
Qed.

(** Members of the classes: each point is in one. *)
Lemma wcount_members w S k : wcount (members S k) (repeat w (length S)) = list_sum (map (fun cy : vec * nat => if Nat.eqb (snd cy) k then w else 0%nat) S).
Proof.
  induction S as [|[c y] S IH]; auto. cbn [members map length repeat wcount snd]. fold (members S k). rewrite IH. simpl. f_equal.
  destruct Nat.eqb; [rewrite nz_1 by lra | rewrite nz_0]; lia.
Qed.
(** A label is one of K. *)
Lemma sum_indicator y K (w : nat) : (y < K)%nat -> list_sum (map (fun k => if Nat.eqb y k then w else 0%nat) (seq 0 K)) = w.
Proof.
  intros H. induction K as [|n IH]; [lia|]. rewrite seq_S, map_app, list_sum_app. cbn [map Nat.add]. simpl (list_sum [_]).
  destruct (Nat.eqb_spec y n) as [->|N].
  - replace (list_sum (map _ (seq 0 n))) with 0%nat; [lia|]. symmetry. transitivity (list_sum (map (fun _ : nat => 0%nat) (seq 0 n))).
    + apply list_sum_ext. intros i I. apply in_seq in I. destruct (Nat.eqb_spec n i); lia.
    + rewrite list_sum_const. lia.
  - rewrite IH by lia. lia.
Qed.
(** All rows of members together. *)
Lemma members_total w S K : (forall c y, In (c, y) S -> (y < K)%nat) ->
  list_sum (map (fun k => wcount (members S k) (repeat w (length S))) (seq 0 K)) = (w * length S)%nat.
Proof.
  intros H. rewrite (list_sum_ext _ (fun k => list_sum (map (fun cy : vec * nat => if Nat.eqb (snd cy) k then w else 0%nat) S)))
    by (intros; apply wcount_members).
  induction S as [|[c y] S IH].
  - cbn [map length]. change (list_sum []) with 0%nat. rewrite list_sum_const. lia.
  - cbn [map snd length]. rewrite (list_sum_ext _ (fun k => ((if Nat.eqb y k then w else 0) + list_sum (map (fun cy : vec * nat => if Nat.eqb (snd cy) k then w else 0%nat) S))%nat)) by reflexivity.
    rewrite list_sum_add, sum_indicator by (eapply H; left; reflexivity). rewrite IH by (intros c' y' I; apply (H c'); right; exact I). lia.
Qed.
(** A sum of zeros. *)
Lemma dot_zero_list r n : dot r (repeat 0 n) = 0.
Proof. revert r. induction n; intros [|a r]; cbn [repeat dot]; auto. rewrite IHn. lra. Qed.
(** Biases of separate networks. *)
Lemma map_snd_diag n l1 l2 : map snd (diag n l1 l2) = map snd l1 ++ map snd l2.
Proof. unfold diag. rewrite map_app, map_map. f_equal. Qed.

(** Identities that carry numbers >= 0. *)
Lemma params_held n b f : readout f = ident n -> hid (delay b (carry n b) f) = (hid f + b * n)%nat /\ readout (delay b (carry n b) f) = ident n.
Proof.
  intros R. destruct b as [|b]; cbn [delay]; [split; auto; lia|].
  destruct (hid_compose (carry n (Datatypes.S b)) f (ident n) (repeat (ident n) b) eq_refl) as [H1 R1]. rewrite H1, R1, R. split; [|reflexivity].
  rewrite params_merge_ident, params_ident by apply ident_length.
    rewrite params_repeat_ident. lia.
Qed.

Section Counts.
Variables (B : R) (D K w : nat) (inds clean : net) (S : data).
Hypotheses (HB : B <> 0) (W : wf D clean) (HK : length (readout clean) = K).
(** The indicators' readout: rows of w entries with separate supports, no biases. *)
Hypotheses (Hw : blocks (readout inds) (repeat w (length S))) (Hb : map snd (readout inds) = repeat 0 (length S)).

(** The capped sums over K classes. *)
Lemma params_capsK : (forall c y, In (c, y) S -> (y < K)%nat) ->
  hid (capsK K inds S) = (hid inds + w * length S + 3 * K)%nat /\ readout (capsK K inds S) = ident K.
Proof.
  intros HS. unfold capsK.
  destruct (hid_compose (carry K 1) (compose (capK K S) inds) (ident K) [] eq_refl) as [H1 R1].
  destruct (hid_compose (capK K S) inds _ [] eq_refl) as [H2 R2]. rewrite H1, R1, H2, R2. split; [|reflexivity].
  rewrite (params_merge _ _ _ Hw), Hb, params_merge_ident by (cbn [capK readout]; rewrite map_length; apply seq_length).
  unfold score. rewrite map_map. cbn [fst snd]. rewrite list_sum_add, members_total by auto.
  rewrite (list_sum_ext _ (fun _ => 1%nat)) by (intros; rewrite dot_zero_list, nz_1; auto; lra). rewrite list_sum_const.
  cbn [capK readout]. unfold params_layer. rewrite map_map.
  rewrite (list_sum_ext _ (fun _ => 2%nat)) by (intros; cbn [fst snd]; rewrite count_opp, count_idrow, nz_1; auto; lra). rewrite list_sum_const.
  cbn [params_of map list_sum fold_right]. lia.
Qed.
(** f_S for K classes. *)
Theorem params_memorizeK : (1 <= K)%nat -> (forall c y, In (c, y) S -> (y < K)%nat) ->
  let L := (depth inds + 2)%nat in
  params (memorizeK B K inds S clean) =
    (hid inds + w * length S + hid clean + 2 * out clean + wait K (L - depth clean) + K * (depth clean - L) + 2 * K * K + 7 * K)%nat.
Proof.
  intros K1 HS L.
  assert (Ld : depth (capsK K inds S) = L) by (unfold capsK; rewrite !depth_compose; unfold L, depth; simpl; lia).
  unfold memorizeK. rewrite !Ld. destruct (params_capsK HS) as [Hc Rc].
  set (a := (L - depth clean)%nat). set (b := (depth clean - L)%nat).
  destruct (params_delayed K a clean HK) as [La Pa]. destruct (params_held K b _ Rc) as [Hh Rh]. cbv zeta in *.
  set (f' := delay a (carryK K a) clean) in *. set (g' := delay b (carry K b) (capsK K inds S)) in *.
  assert (Df : depth f' = depth g') by (unfold f', g'; rewrite !depth_delay by (apply depth_carryK || apply depth_carry); lia).
  assert (Wf : wf D f'). { unfold f', delay. destruct a; auto. apply wf_compose; auto. rewrite HK. apply wf_carryK. }
  assert (N0 : depth f' <> 0%nat) by (rewrite Df; unfold g'; rewrite depth_delay by apply depth_carry; lia).
  destruct (readout_parallel f' g' D Wf Df N0) as [n [F Rp]].
  rewrite params_split. destruct (hid_compose (switchK B K) (parallel f' g') _ [] eq_refl) as [Hs Rs]. unfold out at 1. rewrite Hs, Rs, Rp, Rh.
  rewrite hid_parallel, Hh, Hc by auto.
  assert (Lo : params_layer (readout (switchK B K)) = (3 * K)%nat).
  { cbn [switchK readout]. unfold params_layer. rewrite map_map. rewrite (list_sum_ext _ (fun _ => 3%nat)); [rewrite list_sum_const; lia|].
    intros i I. apply in_seq in I. cbn [fst snd]. now rewrite count_pick_row, count_idrow, nz_0 by lia. }
  rewrite Lo. rewrite Rh in Rp.
  assert (Lm : params_layer (merge (rows2 (fun i => idrow K i ++ repeat (- B) K) (fun i => map Ropp (idrow K i) ++ repeat (- B) K) K
       ++ map (fun i => (repeat 0 K ++ idrow K i, 0)) (seq 0 K)) (diag n (readout f') (ident K))) = (2 * out f' + 2 * K * K + K)%nat).
  { unfold merge. rewrite map_app, params_layer_app. f_equal.
    - unfold params_layer, rows2. rewrite map_map, sum_flat2. unfold out. rewrite (params_layer_rows (readout f')), La, <- list_sum_double.
      transitivity (list_sum (map (fun i => (2 * (count (nth i (map fst (readout f')) []) + nz (nth i (map snd (readout f')) 0%R)) + 2 * K)%nat) (seq 0 K))).
      + apply list_sum_ext. intros i I. apply in_seq in I. cbn [fst snd].
        assert (Sk : forall r, length r = K -> skipn K (r ++ repeat (- B) K) = repeat (- B) K) by (intros r Lr; rewrite skipn_app, Lr, Nat.sub_diag, skipn_all2 by lia; reflexivity).
        assert (Fk : forall r, length r = K -> vcomb (r ++ repeat (- B) K) (map fst (readout f')) = vcomb r (map fst (readout f'))).
        { intros r Lr. rewrite <- (vcomb_prefix (r ++ _)), map_length, La, <- Lr, firstn_app, Nat.sub_diag, firstn_all2 by lia.
          cbn [firstn]. now rewrite app_nil_r. }
        assert (Li : length (idrow K i) = K) by (apply idrow_length; lia).
        assert (Lo' : length (map Ropp (idrow K i)) = K) by now rewrite map_length.
        rewrite !count_vcomb_diag, La, !Sk, !Fk, vcomb_opp, count_pick by (rewrite ?map_length; auto; lia).
        destruct (blocks_ident K) as [_ Bi]. rewrite Bi, wcount_repeat, list_sum_repeat by (rewrite ?repeat_length; auto; lra).
        rewrite map_snd_diag, !dot_cut, !map_length, La, !Sk by auto.
        assert (Z : map snd (ident K) = repeat 0 K).
        { unfold ident. rewrite map_map. cbn [snd]. rewrite <- (seq_length K 0) at 2. generalize (seq 0 K). induction l; simpl; congruence. }
        rewrite Z, dot_zero_list.
        assert (Dp : forall r, dot (r ++ repeat (- B) K) (map snd (readout f')) = dot r (map snd (readout f')) + dot (skipn (length r) (map snd (readout f'))) (repeat (-B) K)).
        { clear. intros r. generalize (map snd (readout f')). induction r as [|x r IH]; intros [|y v]; cbn [app dot length skipn]; try lra.
          - rewrite dot_nil_r. simpl. lra.
          - assert (C : forall p q, dot p q = dot q p) by (induction p; intros [|]; simpl; try lra; rewrite IHp; lra). rewrite C. cbn [dot]. lra.
          - rewrite IH. lra. }
        rewrite !Dp, Li, Lo', skipn_all2, dot_opp, dot_idrow by (rewrite ?map_length; auto; lia). cbn [dot].
        match goal with |- (?A + nz ?x + (?A' + nz ?y))%nat = _ => rewrite (nz_eq x (nth i (map snd (readout f')) 0)), (nz_eq y (- nth i (map snd (readout f')) 0)), nz_opp by lra end. lia.
      + rewrite list_sum_add, list_sum_const. lia.
    - unfold params_layer. rewrite !map_map. rewrite (list_sum_ext _ (fun _ => 1%nat)); [rewrite list_sum_const; lia|].
      intros i I. apply in_seq in I. cbn [fst snd]. rewrite count_vcomb_diag, La by auto.
      rewrite skipn_app, repeat_length, Nat.sub_diag, skipn_all2 by (rewrite repeat_length; lia). cbn [skipn app].
      rewrite count_pick by (rewrite ?map_length, ?ident_length; lia).
      rewrite <- (vcomb_prefix (repeat 0 K ++ _)), map_length, La, firstn_app, repeat_length, Nat.sub_diag, firstn_all2 by (rewrite repeat_length; lia).
      cbn [firstn]. rewrite app_nil_r. rewrite (count_null (vcomb (repeat 0 K) _)) by (intros j; rewrite nth_vcomb; apply dot_zeros).
      unfold ident. rewrite map_map. cbn [fst]. rewrite (nth_indep _ [] (idrow K 0)) by (rewrite map_length, seq_length; lia).
      rewrite (map_nth (fun i => idrow K i)), seq_nth, count_idrow by lia.
      rewrite map_snd_diag, dot_shift, skipn_app, map_length, La, Nat.sub_diag, skipn_all2 by (rewrite map_length; lia). cbn [skipn app].
      rewrite map_map. cbn [snd]. assert (Z : map (fun _ : nat => 0) (seq 0 K) = repeat 0 K).
      { rewrite <- (seq_length K 0) at 2. generalize (seq 0 K). induction l; simpl; congruence. }
      rewrite Z, dot_zero_list, (nz_eq (0 + 0) 0), nz_0 by lra. lia. }
  rewrite Lm. cbn [params_of map list_sum fold_right]. lia.
Qed.
End Counts.

Section Two.
Variables (B : R) (D w : nat) (inds clean : net) (S : data).
Hypotheses (HB : B <> 0) (W : wf D clean) (HK : length (readout clean) = 1%nat).
Hypotheses (Hw : blocks (readout inds) (repeat w (length S))) (Hb : map snd (readout inds) = repeat 0 (length S)).
(** The capped sums of two labels. *)
Lemma params_caps2 : (forall c y, In (c, y) S -> (y < 2)%nat) ->
  hid (caps2 inds S) = (hid inds + w * length S + 6)%nat /\ readout (caps2 inds S) = ident 2.
Proof.
  intros HS. unfold caps2.
  destruct (hid_compose (carry 2 1) (compose (cap S) inds) (ident 2) [] eq_refl) as [H1 R1].
  destruct (hid_compose (cap S) inds _ [] eq_refl) as [H2 R2]. rewrite H1, R1, H2, R2. split; [|reflexivity].
  rewrite (params_merge _ _ _ Hw), Hb, params_merge_ident by reflexivity.
  pose proof (members_total w S 2 HS) as M. cbn [seq map list_sum fold_right] in M.
  rewrite !score_cons, score_nil, !dot_zero_list, (nz_1 (0 + 1)) by lra. cbn [cap readout].
  replace (params_layer [([-1; 0], 1); ([0; -1], 1)]) with 4%nat by counted. cbn [params_of map list_sum fold_right]. lia.
Qed.
(** f_S for two labels. *)
Theorem params_memorize2 : (forall c y, In (c, y) S -> (y < 2)%nat) ->
  let L := (depth inds + 2)%nat in
  params (memorize2 B inds S clean) =
    (hid inds + w * length S + hid clean + 2 * out clean + wait 1 (L - depth clean) + 2 * (depth clean - L) + 16)%nat.
Proof.
  intros HS L.
  assert (Ld : depth (caps2 inds S) = L) by (unfold caps2; rewrite !depth_compose; unfold L, depth; simpl; lia).
  unfold memorize2. rewrite !Ld. destruct (params_caps2 HS) as [Hc Rc].
  set (a := (L - depth clean)%nat). set (b := (depth clean - L)%nat).
  destruct (params_delayed1 a clean HK) as [La Pa]. destruct (params_held 2 b _ Rc) as [Hh Rh]. cbv zeta in *.
  set (f' := delay a (carry1 a) clean) in *. set (g' := delay b (carry 2 b) (caps2 inds S)) in *.
  assert (Df : depth f' = depth g') by (unfold f', g'; rewrite !depth_delay by (apply depth_carry1 || apply depth_carry); lia).
  assert (Wf : wf D f') by (unfold f'; apply wf_delay; auto).
  assert (N0 : depth f' <> 0%nat) by (rewrite Df; unfold g'; rewrite depth_delay by apply depth_carry; lia).
  destruct (readout_parallel f' g' D Wf Df N0) as [n [F Rp]].
  rewrite params_split. destruct (hid_compose (switch B) (parallel f' g') _ [] eq_refl) as [Hs Rs]. unfold out at 1. rewrite Hs, Rs, Rp, Rh.
  rewrite hid_parallel, Hh, Hc by auto. unfold out in Pa at 1. destruct (readout f') as [|[r c] [|]]; simpl in La; try lia.
  rewrite (params_merge _ _ ([count r] ++ [1; 1]%nat)) by (apply blocks_diag; [exact F | apply blocks_one | apply (blocks_ident 2)]).
  rewrite map_snd_diag. change (map snd (ident 2)) with [0; 0]. cbn [map snd app]. rewrite !score_cons, score_nil.
  cbn [wcount dot]. rewrite nz_0, (nz_1 1), (nz_1 (-1)), (nz_1 (- B)) by lra.
  rewrite (nz_eq (1 * c + _ + 0) c), (nz_eq (-1 * c + _ + 0) (- c)), nz_opp, !(nz_eq (0 * c + _ + 0) 0), nz_0 by lra.
  replace (params_layer (readout (switch B))) with 4%nat by (cbn [switch readout]; counted).
  unfold params_layer in Pa at 1. cbn [map list_sum fold_right fst snd] in Pa.
  cbn [params_of map list_sum fold_right]. lia.
Qed.
End Two.
