package upload

// mutants has the faults by the rules of ADR 13 and 14, and docs/track-record.md by where
// they came from.
var mutants = []mutant{
	// Nothing is under a digest but what has it.
	{"any digest", "commit.go", "	if got != d {\n", "	if got != d && d == \"\" {\n", "TestVerdict", false},
	{"any size", "commit.go", "if want > 0 && want != w.size {", "if want > 0 && want < w.size {", "TestCommitSize", false},
	{"digest of the bytes behind the pieces", "contentreader.go", "pieces: w.pieces, tail", "pieces: w.pieces[:0], tail", "TestAlgorithms", false},
	{"piece that is cut short, rehashed", "contentreader.go", "	case c.left != 0:", "	case c.left < 0:", "TestRehashCut", false},
	{"bytes of a state unchecked", "load.go", "if sum != r.CRC {", "if sum != r.CRC && r.Size < 0 {", "TestDamagedState", false},
	{"bytes of a state unchecked that come with its header", "load.go", "err != nil || sum != h.BodyCRC {", "err != nil || sum != h.BodyCRC && sum == 0 {", "TestDamagedState", false},
	{"header sum unchecked", "codec.go", " || crc32.Checksum(text, castagnoli) != sum {", " || sum == 0 {", "TestModel", false},
	{"header sum unchecked, directly", "codec.go", " || crc32.Checksum(text, castagnoli) != sum {", " || sum == 0 {", "TestDamagedState", false},
	{"hash state unchecked", "codec.go", "	_, err := resumeHashes(h.hashStates)\n	return err\n", "	return nil\n", "TestContradictions", false},
	{"pieces of other uploads", "load.go", " || !h.within(folder) {", " {", "TestForeignState", false},
	{"pieces that are overwritten", "folder.go", "piecesDir + random() + random()", "piecesDir + \"piece\"", "TestModel", false},
	{"states that are overwritten", "persist.go", "base.id.own() + random()}", "base.id.own() + noParent}", "TestModel", false},
	{"last part without what was spilled", "direct.go", "w.tailBody().section())", "w.buf.Section())", "TestLateSpill", false},
	{"multipart upload begun twice", "direct.go", "	return w.direct == nil && w.inspect == nil && !w.barred", "	return w.inspect == nil && !w.barred", "TestSpillAnywhere", false},
	{"cut after a spill", "partuploader.go", "	if early == nil && len(w.refs) > 0 || w.tail() == 0 {\n", "	if w.tail() == 0 {\n", "TestSpillAnywhere", false},
	{"cut after a spill, with other bytes", "partuploader.go", "	if early != nil && early.Size() != w.tail()-w.buf.Size() {\n", "	if early != nil && early.Size() < 0 {\n", "TestSpillAnywhere", false},
	{"commit after a spill", "commit.go", "if early == nil && len(w.refs) == 0 || ", "if early == nil || ", "TestSpillAnywhere", false},
	{"spill of a body that goes to the digest's key", "persist.go", "	if w.direct != nil {\n		err = w.spillPart", "	if w.direct != nil && w.size < 0 {\n		err = w.spillPart", "TestLateSpill", false},
	{"part in memory until its client goes on", "persist.go", " || w.published || w.buf.Size() == 0:", " || w.published || w.direct != nil || w.buf.Size() == 0:", "TestLateSpill", false},
	{"Commit after Close", "writer.go", "		w.broken = ErrClosed // bytes", "		_ = ErrClosed // bytes", "TestCommitAfterClose", false},
	{"Write after the end", "writer.go", "	case w.status != isOpen:\n		return ErrClosed\n", "	case w.status == isEnded:\n		return ErrClosed\n", "TestUseAfterEnd", false},

	// A blob under a digest is trusted by its size and checksums.
	{"any checksum at the digest's key", "trust.go", "*crc != *c.crc32c:", "*crc != *c.crc32c && obj.Size < 0:", "TestReplacesWrongChecksum", false},
	{"any checksum at the digest's key, by the model", "trust.go", "*crc != *c.crc32c:", "*crc != *c.crc32c && obj.Size < 0:", "TestModel", false},
	{"any SHA-256 at the digest's key", "trust.go", "	case sum != nil && c.sha256 != \"\" && ", "	case sum != nil && c.sha256 == \"\" && ", "TestReplacesWrongChecksum", false},
	{"body that is never sent as the digest is there", "direct.go", " && !w.engine.distrusted.has(*obj):", ":", "TestReplacesWrongChecksum", false},
	{"checksum of a body that was not sent", "commit.go", "		w.engine.distrusted.add(obj)\n		return fail(errContentDamaged)\n", "		return nil\n", "TestReplacesWrongChecksum", false},
	{"checksum that no state keeps", "hash.go", "		states.CRC32C = new(*hs.crc32c)\n", "", "TestReplacesWrongChecksum", false},
	{"any checksum where the pieces are gone", "commit.go", "	case !w.contentOf().trusts(obj):\n		return 0, false, nil\n", "	case obj.Size != w.size:\n		return 0, false, nil\n", "TestGoneWrongChecksum", false},
	{"any SHA-256 of a blob that an earlier PUT published", "publish.go", " || !announced(target, obj.Size).trusts(obj):", ":", "TestRepeatedPutWrongChecksum", false},
	{"any size at the digest's key", "publish.go", "		case serr == nil && want.trusts(obj):\n", "		case serr == nil && obj.Size >= 0:\n", "TestReplacesWrongSize", false},
	{"any size at the digest's key, by the model", "publish.go", "		case serr == nil && want.trusts(obj):\n", "		case serr == nil && obj.Size >= 0:\n", "TestModel", false},
	{"any size before pieces are joined", "commit.go", "err == nil && w.contentOf().trusts(obj) && !w.replace {", "err == nil && obj.Size >= 0 && !w.replace {", "TestReplacesWrongSize", false},
	{"any size before a body is sent", "direct.go", "	case !w.replace && announced(w.request.Digest, length).trusts(*obj) && ", "	case !w.replace && ", "TestReplacesWrongSize", false},
	{"size published that was not verified", "commit.go", "return e.publish(ctx, key, w.contentOf(), e.features", "return e.publish(ctx, key, content{size: w.state.header.Offset - w.tail()}, e.features", "TestReplacesWrongSize", false},
	{"any size of a blob that an earlier PUT published", "commit.go", " || w.size != w.blobSize || ", " || ", "TestReplacesWrongSize", false},
	{"any size of a blob that another PUT published", "commit.go", "return n, ok && n == w.size, err", "return n, ok, err", "TestReplacesWrongSizeCached", false},
	{"link that many write", "publish.go", "		if there, lerr := e.readLink(ctx, key); lerr == nil && there == target {\n			return nil\n		}\n", "", "TestHotLink", false},
	{"blob that is gone when its body was not sent", "commit.go", "		if err := w.link(ctx, d); err != nil {\n", "		if err := w.link(ctx, d); err != nil || d != \"\" {\n", "TestGoneMeanwhile", false},

	// Only a verdict ends an upload.
	{"Cancel after a failed Commit", "cancel.go", " || w.status == isFailed || ", " || ", "TestCancelAfterFailure", false},
	{"Cancel after a failed Commit, by the model", "cancel.go", " || w.status == isFailed || ", " || ", "TestModel", false},
	{"Commit that ends with its client", "commit.go", "	ctx, stop := detach(ctx, w.grace())\n	defer stop()\n	if w.published {", "	if w.published {", "TestTimedOutPut", false},
	{"verdict on bytes that go on", "cancel.go", "	if len(t.children(base.id)) > 0 {\n", "	if len(t.children(base.id)) > 1000 {\n", "TestConflict", false},
	{"verdict that deletes another branch's pieces", "cancel.go", "	if alone {\n", "	if alone || len(refs) > 0 {\n", "TestVerdictOnBranch", false},
	{"verdict that deletes another branch's pieces, by the model", "cancel.go", "	if alone {\n", "	if alone || len(refs) > 0 {\n", "TestModel", true},
	{"verdict that deletes another branch's states", "cancel.go", "			alone = false // another", "			continue // another", "TestVerdictOnBranch", false},
	{"repeated PUT whose state is gone", "engine.go", "	if errors.Is(err, ErrUnknown) && r.Final {\n", "	if errors.Is(err, ErrUnknown) && r.Final && r.Length < -1 {\n", "TestPublishedOtherDigest", false},
	{"repeated PUT whose pieces are gone", "commit.go", "		if ok && (want <= 0 || n == want) {\n", "		if ok && want < 0 {\n", "TestRepeatedPutCached", false},
	{"repeated PUT where the state is cached", "commit.go", "	if !errors.Is(err, ErrGone) || !w.request.Final || w.request.Digest == \"\" {\n", "	if err != nil {\n", "TestRepeatedPutCached", false},
	{"repeated PUT during an outage", "engine.go", "return nil, fmt.Errorf(\"upload %s: %w\", i.uuid, perr)", "return nil, err", "TestRepeatedPutOutage", false},
	{"Commit again after a link that failed", "direct.go", "	case d.published:\n		return nil\n", "", "TestCommitAgain", false},
	{"file that was committed already", "file.go", "	if errors.Is(err, driver.NotFound) {\n		err = f.ignore", "	if errors.Is(err, driver.NotFound) && sum == \"\" {\n		err = f.ignore", "TestFileCommitEveryCall", false},
	{"wait for another write to the key", "publish.go", "		contested = contested || conflict(err)\n", "", "TestConditionalConflict", false},
	{"repetition of a write that failed in passing", "publish.go", "		return waits.Wait(ctx, err)\n", "		return err\n", "TestShortOutage", false},
	{"policy that never repeats", "publish.go", "		if most > 0 && try >= most {\n", "		if most < 0 {\n", "TestAttempts", false},

	// A body that breaks is kept as far as it came.
	{"bytes of a broken body", "writer.go", "	w.settled = true\n	if perr", "	w.settled = true\n	if err != nil {\n		return n, err\n	}\n	if perr", "TestModel", false},
	{"pieces before one that failed", "partuploader.go", "	if n > 0 && w.direct == nil {\n", "	if n < 0 && w.direct == nil {\n", "TestFailedPiece", false},
	{"hash behind a piece that failed", "partuploader.go", "	w.hash.hashes, _ = resumeHashes(hashes)\n", "	_ = hashes\n", "TestFailedPiece", false},
	{"pieces of a state without a reply", "persist.go", "		w.promised, w.unnamed = append(w.promised, w.unnamed...), nil\n", "", "TestLostState", false},
	{"pieces of a checkpoint without a reply", "partuploader.go", "		u.named = max(u.named, n) // also", "		_ = n // also", "TestLostCheckpoint", false},
	{"error that wraps io.EOF", "append.go", "		case rerr == io.EOF:\n", "		case errors.Is(rerr, io.EOF):\n", "TestWrappedEOF", false},
	{"parts of a body that broke", "writer.go", "		return n, w.brokeUnlocked(err) // all", "		return n, err // all", "TestBrokenDirect", false},

	// One request writes a multipart upload.
	{"gaps in the part numbers", "direct.go", "driver.Part{Number: i + 1,", "driver.Part{Number: 2*i + 1,", "TestPush", false},
	{"abort of what was completed", "direct.go", "	if completed {\n", "	if completed && err == nil {\n", "TestLostCompletion", false},
	{"multipart upload after a verdict", "direct.go", "		w.engine.cleanup.abort(d.upload)\n		d.upload", "		d.upload", "TestVerdictAborts", false},
	{"multipart upload that nothing leads to", "intent.go", "	if !e.features.UploadsByKey || i.object.Key", "	if e.features.UploadsByKey || i.object.Key", "TestOrphan", false},
	{"multipart upload of a file that nothing leads to", "intent.go", "	if !e.features.JoinsByCopy(r) {\n", "	if !e.features.JoinsByCopy(r) && strings.Contains(r.Key, \"/blobs/\") {\n", "TestFileOrphan", false},
	{"intent removed while an upload is left", "cleanup.go", "		case err == nil && len(left) == 0:\n", "		case err == nil && len(left) >= 0:\n", "TestCommitEveryCall", false},
	{"intent removed by a DELETE", "cancel.go", "	if err := removeFolder(ctx, e.bucket, w.folder, end); err != nil {\n", "	_ = removeFolder(ctx, e.bucket, e.layout.Uploads()+\"intent-\", \"\")\n	if err := removeFolder(ctx, e.bucket, w.folder, end); err != nil {\n", "TestOrphan", false},
	{"upload that is gone is a client's fault", "commit.go", "		if w.direct != nil {\n			// Nothing of the upload is gone but the parts of this request.\n			return 0, w.wrap(w.direct.lost(err))\n		}\n", "", "TestAbortedUpload", false},

	// DELETE.
	{"no mark of a DELETE", "tree.go", "		if entry.Key == endKey(t.folder) {\n", "		if entry.Key == endKey(t.folder)+\"x\" {\n", "TestModel", false},
	{"PATCH after a DELETE elsewhere", "persist.go", "		ended = err == nil\n", "		ended = false\n", "TestPatchAfterDelete", false},
	{"states in memory after a DELETE", "cancel.go", "	e.cache.end(w.state)\n", "", "TestPatchAfterDelete", false},

	// Sweeps and ages.
	{"age by the oldest object", "sweep.go", "		if entry.ModTime.After(touched) {\n", "		if touched.IsZero() || entry.ModTime.Before(touched) {\n", "TestSweepNeighbour", false},
	{"sweep of what has gone on since", "sweep.go", "		if !entry.ModTime.Before(before) {\n", "		if entry.ModTime.IsZero() {\n", "TestSweepRace", false},
	{"pieces swept before states", "sweep.go", "removeOld(ctx, folder+statesDir,", "removeOld(ctx, folder+piecesDir,", "TestSweepStates", false},
	{"old state that is cached", "engine.go", "		if e.tooOld(st.written) {\n", "		if e.tooOld(time.Time{}) {\n", "TestOldCachedState", false},
	{"old state", "load.go", "	if e.tooOld(obj.ModTime) {\n", "	if e.tooOld(obj.ModTime) && obj.Size < 0 {\n", "TestMaxAge", false},
	{"old first id", "engine.go", "		if time.Since(i.started()) > e.options.MaxAge {", "		if time.Since(i.started()) < 0 {", "TestMaxAge", false},

	// Ids.
	{"first id that nobody gave out", "id.go", "if off != 0 || secret == nil || !hmac.Equal([]byte(i.token), []byte(mac(*secret, i.uuid, repo))) {", "if off != 0 || secret == nil {", "FuzzID", false},

	// Costs.
	{"memory of Writers that are dropped", "writer.go", "	w.hash.hashes, _ = resumeHashes(st.header.hashStates) // decode has checked them\n", "	w.hash.hashes, _ = resumeHashes(st.header.hashStates)\n	w.join()\n", "TestDropped", false},
	{"key that is written twice", "commit.go", "	g.Go(func() error { return w.link(gctx, d) })\n", "	g.Go(func() error { return errors.Join(w.link(gctx, d), w.link(gctx, d)) })\n", "TestPush", false},
	{"tail that each tiny request writes again", "persist.go", "		for i > 0 && level(refs[i-1].Size) <= level(max(size, 1)) {\n			i--\n		}\n		if from-i < mergeAt-1 {\n", "		i = 0\n		if from == 0 {\n", "TestTinyRequests", false},
	{"upload that is larger than any object", "append.go", "w.size+int64(len(p)) > most {", "w.size+int64(len(p)) < 0 && most > 0 {", "TestTooLarge", false},
	{"upload that is larger than any object, and says so", "append.go", "total); err != nil {\n		return fmt.Errorf(\"%w: %w\", ErrTooLarge, err)", "total); err != nil {\n		return err", "TestTooLarge", false},
	{"header that one read does not deliver", "load.go", "	if errors.Is(err, ErrBadState) && len(head) == headRead {\n", "	if errors.Is(err, ErrBadState) && len(head) < 0 {\n", "TestManyPieces", false},
	{"pieces of another size on another replica", "append.go", "	if w.engine.features.Parts.Uniform && len(w.pieces) > 0 {\n", "	if w.engine.features.Parts.Uniform && len(w.pieces) < 0 {\n", "TestUnequalReplicas", false},
}
