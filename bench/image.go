package main

import (
	"context"
	"io"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// image is the same for all.
var image = sync.OnceValues(func() (v1.Image, error) { return random.Image(tiny, layers) })

func (v *visit) image() (name.Reference, error) {
	return name.ParseReference(strings.TrimPrefix(v.base, "http://") + "/bench/image:latest")
}

// pushImage pushes as crane does, which looks for each blob before it sends it.
func (v *visit) pushImage(ctx context.Context) error {
	ref, err := v.image()
	if err != nil {
		return err
	}
	img, err := image()
	if err != nil {
		return err
	}
	return remote.Write(ref, img, remote.WithContext(ctx), remote.WithTransport(v.client.Transport))
}

// pullImage reads manifest, config and layers, one after the other.
func (v *visit) pullImage(ctx context.Context) error {
	ref, err := v.image()
	if err != nil {
		return err
	}
	img, err := remote.Image(ref, remote.WithContext(ctx), remote.WithTransport(v.client.Transport))
	if err != nil {
		return err
	}
	if _, err := img.RawConfigFile(); err != nil {
		return err
	}
	all, err := img.Layers()
	if err != nil {
		return err
	}
	for _, layer := range all {
		if err := drain(layer); err != nil {
			return err
		}
	}
	return nil
}

// drain reads a layer, which compares its digest.
func drain(layer v1.Layer) error {
	r, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}
