package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/types"
)

// policyFlags choose which images are accepted.
type policyFlags struct {
	path     string
	insecure bool
}

func (f *policyFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.path, "policy", "", "`file` of the policy that images must meet; the system's, as policy.json(5) has it")
	cmd.Flags().BoolVar(&f.insecure, "insecure-policy", false, "accept any image, and look at no policy")
}

// open makes the policy, which the caller destroys.
func (f policyFlags) open() (*signature.PolicyContext, error) {
	policy := &signature.Policy{Default: signature.PolicyRequirements{signature.NewPRInsecureAcceptAnything()}}
	if !f.insecure {
		var err error
		if policy, err = signature.DefaultPolicy(&types.SystemContext{SignaturePolicyPath: f.path}); err != nil {
			return nil, fmt.Errorf("policy: %w; name one by --policy, or accept any image by --insecure-policy", err)
		}
	}
	return signature.NewPolicyContext(policy)
}
