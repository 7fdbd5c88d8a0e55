package gc_test

const (
	collectFile = "gc/collect.go"
	watchFile   = "internal/tombstone/watch.go"
	deleteFile  = "internal/tombstone/delete.go"
)

var mutants = []mutant{
	// The collector.
	{"no second mark", collectFile, "	if err := m.all(ctx); err != nil {\n		return err\n	}\n", "	_ = m.all\n"},
	{"no wait", collectFile, "undecided && rest > 0; rest =", "undecided && rest < 0; rest ="},
	{"adopted without a wait", collectFile, "	c.acked = time.Now()\n	has :=", "	c.acked = time.Now().Add(-c.options.Wait)\n	has :="},
	{"nothing adopted", collectFile, "		has[t.Key] = true\n", "		if t.State == tombstone.Condemned {\n			continue\n		}\n		has[t.Key] = true\n"},
	{"young object condemned", collectFile, "err == nil && !c.old(obj):\n			return nil\n", "err == nil && obj.Size < 0:\n			return nil\n"},
	{"young objects are candidates", "gc/run.go", "		if !r.old(o) {\n			return\n		}\n", ""},
	{"no second look at the age", collectFile, " || !t.Names(obj) || !c.old(obj)) {", " || !t.Names(obj)) {"},
	{"no second look", collectFile, "(t.needed || !t.Names(obj) || !c.old(obj)) {", "t.needed {"},
	{"marked links are not rescued", collectFile, "			t.needed = needed\n", "			t.needed = needed && t.needed\n"},
	{"marked blobs are not rescued", collectFile, "			t.needed = known && m.refs.Has(id)\n", "			t.needed = known && m.refs.Has(id) && t.needed\n"},
	{"needed tombstone removed before it is rescued", collectFile, "			err := t.Change(ctx, c.bucket, func(t *tombstone.Tombstone) { t.State = tombstone.Rescued })\n", "			err := t.Remove(ctx, c.bucket)\n"},
	{"revisions do not protect", "gc/mark.go", "		if revision {\n			p.revisions[d] = m\n		}\n", "		if revision {\n			p.revisions[d] = m\n			if !tagged {\n				continue\n			}\n		}\n"},
	{"tags do not protect", "gc/mark.go", "	for d := range p.tagged {\n		todo = append(todo, p.digests.ID(d))\n	}\n", ""},
	{"tarsums do not protect", "gc/mark.go", "		if layers[d] {\n", "		if layers[d] && d == \"\" {\n"},
	{"children are not kept", "gc/mark.go", "		todo = append(todo, m.Children...)\n", ""},
	{"referrers are not kept", "gc/mark.go", "		todo = append(todo, referrers[id]...)\n", ""},
	{"error in a mark", "gc/mark.go", "	return targets, err\n", "	_ = err\n	return targets, nil\n"},

	// Deletion.
	{"any version deleted", deleteFile, "	if s.Unique || f.Conds.Delete&driver.CondIfMatch != 0 {\n", "	if f.Conds.Delete&driver.CondIfMatch == 0 {\n"},
	{"done before NotAfter", deleteFile, "	for !at.IsZero() {\n", "	for !at.IsZero() && at.Year() < 1 {\n"},
	{"deletion not renewed", deleteFile, "		if !s.renewed {\n", "		if !s.renewed && s.NotAfter.IsZero() {\n"},
	{"deletion that may be late", deleteFile, "		o.NotAfter = s.NotAfter\n", ""},

	// What replicas know.
	{"nothing rescued", watchFile, "				err := t.Change(ctx, w.bucket, func(t *Tombstone) { t.State = Rescued })\n", "				err := error(nil)\n"},
	{"lost rescue", watchFile, "		if !lost {\n", "		if !lost || len(all) > 0 {\n"},
	{"dying not hidden", watchFile, "		if t.Names(o) {\n			return true\n", "		if t.Names(o) {\n			return false\n"},
	{"no wait for a deletion", watchFile, "	for round := 0; err == nil && len(s.dying) > 0; round++ {\n", "	for round := 0; err == nil && len(s.dying) < 0; round++ {\n"},
	{"stale list", watchFile, "	case l == nil || w.Stale(l.t0):\n", "	case l == nil:\n"},
	{"stale list peeked at", watchFile, "w.last == nil || w.Stale(w.last.t0) || w.last", "w.last == nil || w.last"},
	{"time after the list", watchFile, "		l := &list{t0, digests}\n", "		l := &list{t0, digests}\n		l.t0 = time.Now()\n"},
	{"no tombstones listed", watchFile, "|| w.last.digests[d] {", "{"},
	{"slow list ignored", watchFile, "	if !l.list.digests[d] {\n", "	if !l.list.digests[d] || l.watch != nil {\n"},

	// Promises, and pushes.
	{"late answer", "blobstore/tombstones.go", "	if !r.store.watch.Stale(sight.T0) {\n		return sight, nil\n	}\n", "	if d != \"\" {\n		return sight, nil\n	}\n"},
	{"late HEAD", "blobstore/tombstones.go", "		if err != nil || !r.store.watch.Stale(sight.T0) {\n", "		if err != nil || d != \"\" {\n"},
	{"HEAD that reads no tombstones", "blobstore/tombstones.go", "		sight, err := r.store.watch.Read(ctx, d)\n", "		sight, err := tombstone.Sight{T0: time.Now()}, error(nil)\n"},
	{"commit over what is dying", "blobstore/internal/upload/commit.go", "		w.sight, err = w.engine.options.Watch.Clear(ctx, d)\n", "		w.sight, err = w.engine.options.Watch.Read(ctx, d)\n"},
	{"put over what is dying", "blobstore/tombstones.go", "	sight, err := r.store.watch.Clear(ctx, d)\n", "	sight, err := r.store.watch.Read(ctx, d)\n"},
	{"mount of what was there", "blobstore/repository.go", "		b, err := r.store.Repository(from).lookupSince(ctx, d, sight, r.store.statBlob)\n", "		b, err := r.store.Repository(from).Lookup(ctx, d)\n"},
	{"old sighting", "blobstore/tombstones.go", " && !s.watch.Expired(b.since) {", " {"},
	{"newest time counts", "manifests/vouch.go", "since.Before(f.oldest)", "since.After(f.oldest)"},
	{"no check of the time after a manifest", "manifests/put.go", "err == nil && r.friend.Watch().Expired(v.since); round++", "err != nil && r.friend.Watch().Expired(v.since); round++"},
	{"no check of the time after a tag", "manifests/tags.go", "		if v.manifest == nil || !r.friend.Watch().Expired(v.since) {\n", "		if v.manifest == nil || round > 0 {\n"},
	{"no check of the time after a tarsum", "layers/tarsum/upload.go", "		if !watch.Expired(sight.T0) {\n", "		if !watch.Expired(sight.T0) || err == nil {\n"},
	{"manifest not looked at itself", "manifests/vouch.go", "		err := fast.note(r.friend.Watch().Peek(d).T0)\n", "		err := fast.note(time.Now())\n"},
	{"layers of children not looked at", "manifests/verify.go", "	for _, layer := range child.blobs() {\n", "	for _, layer := range child.blobs()[:0] {\n"},
	{"manifests not hidden", "manifests/get.go", "			if err == nil && sight.Hides(link) {\n", "			if err == nil && sight.Hides(link) && d == \"\" {\n"},
	{"layers not looked for", "manifests/vouch.go", "	return f.r.friend.LookupSince(ctx, f.r.name, d, sight)\n}\n\nfunc (f *looked) layer", "	_ = sight\n	return nil\n}\n\nfunc (f *looked) layer"},
	{"slow path deaf to tombstones", "manifests/vouch.go", "	sight, err := f.look.At(ctx, d)\n	if err != nil {\n		return err\n	}\n	return f.r", "	sight, err := tombstone.Sight{T0: f.look.T0()}, error(nil)\n	if err != nil {\n		return err\n	}\n	return f.r"},
}
