package main

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
)

// kustomize renders the examples. kubectl has the same within.
const kustomize = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"

// TestKustomize renders the overlay of each cloud, and decodes it as strictly as the API server:
// with the types of Kubernetes, no unknown field, no field twice.
func TestKustomize(t *testing.T) {
	for _, cloud := range kubernetesClouds(t) {
		t.Run(cloud, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // it may be built first
			defer cancel()
			cmd := exec.CommandContext(ctx, "go", "run", kustomize, "build", filepath.Join(manifests, cloud))
			var text, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &text, &stderr
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s", err, stderr.String())
			}
			all := decoded(t, cloud, text.Bytes())
			if want := len(objects(t, "base/registry.yaml")) + len(objects(t, cloud+"/storage.yaml")); len(all) != want {
				t.Errorf("%d objects, want %d", len(all), want)
			}
			for _, o := range all {
				if m := o.(interface{ GetNamespace() string }); m.GetNamespace() != "registry" {
					t.Errorf("%T is in the namespace %q", o, m.GetNamespace())
				}
			}
			pod := the[*apps.Deployment](t, all, "blobdock").Spec.Template.Spec
			if got := pod.Containers[0].Image; got != "ghcr.io/blobdock/blobdock:latest" {
				t.Errorf("image %s", got)
			}
			wantServes(t, config(t, pod.Containers[0], all), *pod.TerminationGracePeriodSeconds, pod.Containers[0])
		})
	}
}
