package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"

	blobdock "github.com/blobdock/blobdock/registry"
)

const manifests = "../../docs/kubernetes"

// kinds are the objects that the examples are made of.
var kinds = map[string]func() any{
	"v1/ConfigMap":                       func() any { return new(core.ConfigMap) },
	"v1/Service":                         func() any { return new(core.Service) },
	"v1/ServiceAccount":                  func() any { return new(core.ServiceAccount) },
	"apps/v1/Deployment":                 func() any { return new(apps.Deployment) },
	"policy/v1/PodDisruptionBudget":      func() any { return new(policy.PodDisruptionBudget) },
	"networking.k8s.io/v1/NetworkPolicy": func() any { return new(networking.NetworkPolicy) },
}

// objects reads a file as Kubernetes would, but for fields that it doesn't know and
// those that come twice: they fail the test.
func objects(t *testing.T, file string) []any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(manifests, file))
	if err != nil {
		t.Fatal(err)
	}
	return decoded(t, file, text)
}

// decoded is objects of a text.
func decoded(t *testing.T, file string, text []byte) []any {
	t.Helper()
	var all []any
	for i, doc := range bytes.Split(text, []byte("\n---\n")) {
		var head struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal(doc, &head); err != nil {
			t.Fatalf("%s, object %d: %v", file, i+1, err)
		}
		empty, ok := kinds[head.APIVersion+"/"+head.Kind]
		if !ok {
			t.Fatalf("%s, object %d: unknown kind %s/%s", file, i+1, head.APIVersion, head.Kind)
		}
		o := empty()
		if err := yaml.UnmarshalStrict(doc, o); err != nil {
			t.Fatalf("%s, %s: %v", file, head.Kind, err)
		}
		all = append(all, o)
	}
	return all
}

// the finds the one object of its type that has the name.
func the[T any](t *testing.T, all []any, name string) T {
	t.Helper()
	var found []T
	for _, o := range all {
		if typed, ok := o.(T); ok && reflect.ValueOf(o).Elem().FieldByName("Name").String() == name {
			found = append(found, typed)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects of type %T named %s, want 1", len(found), *new(T), name)
	}
	return found[0]
}

// kubernetesClouds are the folders beside the base.
func kubernetesClouds(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(manifests + "/*/storage.yaml")
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v: want a folder for each cloud", files, err)
	}
	var names []string
	for _, file := range files {
		names = append(names, filepath.Base(filepath.Dir(file)))
	}
	return names
}

// TestKubernetes holds the examples to what the program is, and to each other.
func TestKubernetes(t *testing.T) {
	all := objects(t, "base/registry.yaml")
	deployment := the[*apps.Deployment](t, all, "blobdock")
	pod := deployment.Spec.Template.Spec
	c := pod.Containers[0]
	for _, cloud := range kubernetesClouds(t) {
		t.Run(cloud, func(t *testing.T) {
			own := objects(t, cloud+"/storage.yaml")
			account := the[*core.ServiceAccount](t, own, pod.ServiceAccountName)
			if len(account.Annotations) != 1 {
				t.Errorf("annotations %v, want the identity", account.Annotations)
			}
			wantServes(t, config(t, c, append(own, all...)), *pod.TerminationGracePeriodSeconds, c)
		})
	}

	labels := deployment.Spec.Template.Labels
	for what, selector := range map[string]map[string]string{
		"deployment": deployment.Spec.Selector.MatchLabels,
		"service":    the[*core.Service](t, all, "blobdock").Spec.Selector,
		"budget":     the[*policy.PodDisruptionBudget](t, all, "blobdock").Spec.Selector.MatchLabels,
		"network":    the[*networking.NetworkPolicy](t, all, "blobdock").Spec.PodSelector.MatchLabels,
	} {
		for k, v := range selector {
			if labels[k] != v || len(selector) == 0 {
				t.Errorf("%s selects %v, the pods have %v", what, selector, labels)
			}
		}
	}
	if *deployment.Spec.Replicas < 2 || !*pod.SecurityContext.RunAsNonRoot || !*c.SecurityContext.ReadOnlyRootFilesystem || *c.SecurityContext.AllowPrivilegeEscalation {
		t.Error("want replicas, and no more rights than they need")
	}
	if links := pod.EnableServiceLinks; links == nil || *links {
		t.Error("a service named registry-storage would set variables that the registry reads as its own")
	}
	for path, probe := range map[string]*core.Probe{"/livez": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		if probe.HTTPGet.Path != path || probe.HTTPGet.Port.String() != "debug" || time.Duration(probe.TimeoutSeconds)*time.Second <= readyTime {
			t.Errorf("probe %+v, want %s on the debug address, which has %v", probe.HTTPGet, path, readyTime)
		}
	}
	longest := checkTimeout + blobdock.DefaultStorageWait
	if s := c.StartupProbe; time.Duration(s.PeriodSeconds*s.FailureThreshold)*time.Second < longest {
		t.Errorf("the startup probe gives up before the look at the store does, after %v", longest)
	}
}

// config reads the container's configuration as "serve" would in there.
func config(t *testing.T, c core.Container, all []any) *configuration.Configuration {
	t.Helper()
	for _, from := range c.EnvFrom {
		for name, value := range the[*core.ConfigMap](t, all, from.ConfigMapRef.Name).Data {
			t.Setenv(name, value)
		}
	}
	for _, v := range c.Env {
		if v.Value == "" && v.ValueFrom.SecretKeyRef == nil {
			t.Errorf("%s has no value", v.Name)
		}
		t.Setenv(v.Name, v.Value+"from the secret")
	}
	const mount = "/etc/blobdock/"
	name, ok := strings.CutPrefix(c.Args[1], mount)
	if !ok || c.Args[0] != "serve" || c.VolumeMounts[0].MountPath+"/" != mount {
		t.Fatalf("args %v with a configuration at %s", c.Args, c.VolumeMounts[0].MountPath)
	}
	text, ok := the[*core.ConfigMap](t, all, "blobdock").Data[name]
	if !ok {
		t.Fatalf("the ConfigMap has no %s", name)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := serveCommand()
	got, err := configure(cmd, serveFlags{listen: defaultListen, redirect: "on", logLevel: "warn"}, []string{path})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// wantServes checks a configuration against the container that it is for.
func wantServes(t *testing.T, config *configuration.Configuration, grace int64, c core.Container) {
	t.Helper()
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	parsed, err := blobdock.ParseConfig(config.Storage.Parameters())
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(parsed.URL, "gs://") {
		parsed.URL += "?anonymous=true" // there are no credentials here
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	store, err := parsed.Open(ctx) // knows all parameters, and sends no request
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	limit := c.Resources.Limits.Memory().Value()
	if budget := parsed.Options.MemoryBudget; limit < budget+overhead+(64<<20) || c.Resources.Limits.Memory().IsZero() {
		t.Errorf("a memory limit of %d bytes with a budget of %d", limit, budget)
	}
	if stop := config.HTTP.DrainTimeout + time.Duration(c.Lifecycle.PreStop.Sleep.Seconds)*time.Second; time.Duration(grace)*time.Second <= stop {
		t.Errorf("it is killed after %d s, and takes %v to stop", grace, stop)
	}
	if config.HTTP.Secret == "" {
		t.Error("no secret that the replicas share")
	}
	if !config.HTTP.Debug.Prometheus.Enabled {
		t.Error("no metrics")
	}
	ports := make(map[string]string)
	for _, p := range c.Ports {
		ports[p.Name] = fmt.Sprintf(":%d", p.ContainerPort)
	}
	if ports["http"] != config.HTTP.Addr || ports["debug"] != config.HTTP.Debug.Addr {
		t.Errorf("ports %v, listens on %s and %s", ports, config.HTTP.Addr, config.HTTP.Debug.Addr)
	}
}
