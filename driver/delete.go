package driver

import "context"

// DeleteAll deletes objects with as few requests as the store offers. A ref whose
// version the store's batch does not honour takes a request of its own. It stops
// at the first error.
func DeleteAll(ctx context.Context, b Bucket, refs []ObjectRef) error {
	f := b.Features()
	var batch []ObjectRef
	for _, r := range refs {
		if f.DeleteBatch != nil && len(refs) > 1 && (r.Version == "" || f.Conds.DeleteBatch) {
			batch = append(batch, r)
			continue
		}
		if err := b.Delete(ctx, r.Key, DeleteOptions{IfVersion: r.Version}); err != nil {
			return err
		}
	}
	for len(batch) > 0 {
		n := min(len(batch), max(f.BatchMax, 1))
		if err := f.DeleteBatch(ctx, batch[:n]); err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// Refs are refs to whatever is at keys.
func Refs(keys ...string) []ObjectRef {
	refs := make([]ObjectRef, len(keys))
	for i, key := range keys {
		refs[i].Key = key
	}
	return refs
}
