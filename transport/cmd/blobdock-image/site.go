package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"go.podman.io/image/v5/types"
)

// site is what the flags say of one side's registry.
type site struct {
	prefix            string // of the flags' names
	authfile          string
	creds             string
	noCreds           bool
	tlsVerify         bool
	certDir           string
	arch, os, variant string
}

// register adds the flags of a site: --creds, or --src-creds where prefix is "src-".
func (s *site) register(cmd *cobra.Command, prefix, whose string) {
	s.prefix = prefix
	f := cmd.Flags()
	f.BoolVar(&s.tlsVerify, prefix+"tls-verify", true, "require HTTPS and verify certificates of "+whose)
	f.StringVar(&s.creds, prefix+"creds", "", "`USER[:PASSWORD]` for "+whose)
	f.BoolVar(&s.noCreds, prefix+"no-creds", false, "ask "+whose+" anonymously")
	f.StringVar(&s.certDir, prefix+"cert-dir", "", "`directory` of certificates (*.crt, *.cert, *.key) for "+whose)
}

// platform adds the flags that choose an image of a list.
func (s *site) platform(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.arch, "override-arch", "", "choose the image of this `architecture` in a list")
	f.StringVar(&s.os, "override-os", "", "choose the image of this operating `system` in a list")
	f.StringVar(&s.variant, "override-variant", "", "choose the image of this `variant` in a list")
}

// authfileFlag adds --authfile.
func authfileFlag(cmd *cobra.Command, sites ...*site) {
	path := cmd.Flags().String("authfile", "", "`file` of credentials, as by podman login; REGISTRY_AUTH_FILE names it as well")
	cmd.PreRun = func(*cobra.Command, []string) {
		for _, s := range sites {
			s.authfile = cmp.Or(*path, os.Getenv("REGISTRY_AUTH_FILE"))
		}
	}
}

// context is what containers/image is told of a site.
func (s *site) context(cmd *cobra.Command) (*types.SystemContext, error) {
	sys := &types.SystemContext{
		AuthFilePath: s.authfile, DockerCertPath: s.certDir, OCICertPath: s.certDir,
		ArchitectureChoice: s.arch, OSChoice: s.os, VariantChoice: s.variant,
		DockerRegistryUserAgent: "blobdock-image/" + version,
	}
	if cmd.Flags().Changed(s.prefix + "tls-verify") { // else registries.conf tells
		sys.DockerInsecureSkipTLSVerify = types.NewOptionalBool(!s.tlsVerify)
		sys.OCIInsecureSkipTLSVerify = !s.tlsVerify
	}
	switch {
	case s.creds != "" && s.noCreds:
		return nil, fmt.Errorf("--%[1]screds and --%[1]sno-creds exclude each other", s.prefix)
	case s.noCreds:
		sys.DockerAuthConfig = &types.DockerAuthConfig{}
	case cmd.Flags().Changed(s.prefix + "creds"):
		user, password, _ := strings.Cut(s.creds, ":")
		if user == "" {
			return nil, errors.New("--" + s.prefix + "creds: want USER[:PASSWORD]")
		}
		sys.DockerAuthConfig = &types.DockerAuthConfig{Username: user, Password: password}
	}
	return sys, nil
}
