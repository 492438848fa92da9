// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
)

// Audit annotations. The API server writes each as "pods.headroom.dev/<key>", or with the name of another webhook, into its
// audit events, at level Metadata and above. Values are one line of text:
//
//	action      Allow, Warn or Deny; for bindings Allow or SendBack: always there
//	node        of bindings only: the node that was chosen, which all else is about
//	verdict     the verdict that explains the action
//	message     the sentence for people, also where nobody was shown it, as in mode Audit; missing where the verdict is Fits or
//	            Unknown
//	need        bytes that the pod's images need on the node the verdict is about, as an interval
//	projected   bytes that stay available there after the pull, as an interval; negative where they don't fit
//	candidates  "possible=3,likely=2,overloaded=1": nodes the pod could ever land on, could land on now, and how many of the
//	            latter are at or past warnAt
//	waiting     true where pods that wait for a node leave too little for this one: verdict and message say what comes of that,
//	            need, projected and candidates are as if they did not
//	tier        Measured, Declared, Assumed or None: the worst data the decision rests on
//	policy      the mode in force for the pod, then "@" and the version of the policy that was judged by: "Warn@3f2a9c1d0b42"
//	modeIgnored why the namespace's label headroom.dev/mode was not followed
//	exception   the policy's exception that lets the pod through, or would in a stricter mode; with "(allowance exceeded)" one
//	            that does not for that alone
//	undecided   why there is no opinion, or why not a firmer one: a reason of package fit or of this package
//	exempt      why it was not judged: mirror, namespace, priorityClass, off, unchanged, subresource or noTemplate
//	error       one sentence, with undecided, where something went wrong
//
// An interval is "low/likely/high": three whole numbers of bytes, where "-inf" as low means that there is no lower bound and
// "inf" as high that there is no upper one. need and projected are missing where there is no node to speak about.
const (
	actionKey     = "action"
	nodeKey       = "node"
	verdictKey    = "verdict"
	messageKey    = "message"
	needKey       = "need"
	projectedKey  = "projected"
	candidatesKey = "candidates"
	waitingKey    = "waiting"
	tierKey       = "tier"
	policyKey     = "policy"

	modeIgnoredKey = "modeIgnored"
	exceptionKey   = "exception"
	undecidedKey   = "undecided"
	exemptKey      = "exempt"
	errorKey       = "error"
)

// maxTextRunes is where the API server cuts warnings when a response has many.
const maxTextRunes = 256

func annotationsOf(d fit.Decision) map[string]string {
	annotations := map[string]string{
		actionKey:     string(d.Action),
		verdictKey:    verdictLabel(d.Verdict),
		candidatesKey: "possible=" + strconv.Itoa(d.Possible) + ",likely=" + strconv.Itoa(d.Likely) + ",overloaded=" + strconv.Itoa(d.Overloaded),
		policyKey:     policyText(d.Mode, d.PolicyVersion),
	}
	if d.Verdict.Severity() > 0 {
		annotations[messageKey] = sentence(d)
	}
	if d.Best.Node != "" {
		annotations[needKey] = interval(d.Need)
		annotations[projectedKey] = interval(d.Best.Projected)
	}
	if d.Waiting {
		annotations[waitingKey] = "true"
	}
	if d.Tier != "" {
		annotations[tierKey] = oneLine(string(d.Tier))
	}
	if d.ModeIgnored != "" {
		annotations[modeIgnoredKey] = oneLine(d.ModeIgnored)
	}
	switch {
	case d.Exception != "":
		annotations[exceptionKey] = oneLine(d.Exception)
	case d.Exceeded != "":
		annotations[exceptionKey] = oneLine(d.Exceeded + " (allowance exceeded)")
	}
	if d.Reason != "" {
		annotations[undecidedKey] = oneLine(string(d.Reason))
	}
	return annotations
}

func policyText(mode policy.Mode, version string) string {
	text := modeLabel(mode)
	if version != "" {
		text += "@" + version
	}
	return oneLine(text)
}

func interval(b estimate.Bytes) string {
	low, high := strconv.FormatInt(b.Low, 10), strconv.FormatInt(b.High, 10)
	if b.Low == math.MinInt64 {
		low = "-inf"
	}
	if b.High == math.MaxInt64 {
		high = "inf"
	}
	return low + "/" + strconv.FormatInt(b.Likely, 10) + "/" + high
}

// oneLine makes s a text that the API server lets through: it drops warnings with a control character or with invalid UTF-8
// (apimachinery NewWarningHeader). Each is replaced by a space, and s cut to maxTextRunes.
func oneLine(s string) string { return clipped(s, maxTextRunes) }

// clipped is oneLine with another limit.
func clipped(s string, limit int) string {
	if isPlain(s, limit) {
		return s
	}
	s = strings.ToValidUTF8(s, " ")
	var b strings.Builder
	runes := 0
	for _, r := range s {
		if runes++; runes > limit {
			break
		}
		// Besides control characters, what a terminal could take for one: line separators and marks that reverse text.
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			r = ' '
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}

// isPlain reports whether s is one line as it is, as nearly all texts are: ASCII without control characters, with no space around
// it, and short.
func isPlain(s string, limit int) bool {
	if len(s) > limit || strings.HasPrefix(s, " ") || strings.HasSuffix(s, " ") {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
