package blobstore

import (
	"context"

	"github.com/blobdock/blobdock/internal/friend"
)

func (s internals) Append(ctx context.Context, key string, resume bool) (friend.File, error) {
	f, err := s.engine.Append(ctx, key, resume)
	if err != nil {
		return nil, err // not a File that holds a nil
	}
	return f, nil
}
