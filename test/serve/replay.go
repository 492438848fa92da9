// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
)

// Replayed counts what `headroom check` has said once more in all tests of a process.
type Replayed struct {
	// Answers are of reviews that something was said to; of these, Refusals and Warnings were shown to somebody.
	Answers, Refusals, Warnings int
	// Sentences are the distinct ones.
	Sentences map[string]int
}

var total = struct {
	sync.Mutex
	Replayed // guarded by the mutex
}{Replayed: Replayed{Sentences: map[string]int{}}}

// ReplayedSoFar says how much has been replayed, in one line.
func ReplayedSoFar() string {
	total.Lock()
	defer total.Unlock()
	return total.String()
}

func (r *Replayed) String() string {
	return fmt.Sprintf("headroom check has said again %d answers with %d distinct sentences, %d refusals and %d warnings among them",
		r.Answers, len(r.Sentences), r.Refusals, r.Warnings)
}

// Replay does what is done at the end of every [Process] for one that runs elsewhere: with what it has recorded in a folder by
// now, which must be all that its metrics count.
func Replay(t testing.TB, metricsURL, folder string) {
	t.Helper()
	counted := answersCounted(metricsURL)
	if counted == (answers{}) {
		t.Errorf("%s counts no answers", metricsURL)
	}
	awaitRecorded(counted, folder, 10*time.Second)
	replay(t, folder, counted)
}

// replay holds every answer in a folder of recordings, which warned, refused or noted a sentence, against `headroom check` for
// the same request, given what the process knew: the answers must be the same, word for word. As many as were counted must be there.
func replay(t testing.TB, folder string, counted answers) {
	t.Helper()
	files, err := recordingsIn(folder)
	if err != nil {
		t.Fatal(err)
	}
	checkAllRecorded(t, counted, files)
	if len(files) == 0 {
		return
	}
	began := time.Now()
	again := answersAgain(t, folder)
	counts := Replayed{Sentences: map[string]int{}}
	differing, manifests, made := 0, 0, map[string]string{}
	for _, file := range files {
		request, response, err := readRecording(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(response, again[string(request.UID)]); diff != "" {
			if differing++; differing <= 5 {
				t.Errorf("%s %s/%s of %s %q by %s is answered otherwise by headroom check (-webhook +check):\n%s\nobject: %s", request.Operation, request.Resource.Resource,
					request.SubResource, request.Namespace, request.Name, request.UserInfo.Username, diff, cut(string(request.Object.Raw)))
			}
			continue
		}
		counts.add(response)
		if request.Operation == admissionv1.Create && request.SubResource == "" && response.AuditAnnotations["message"] != "" {
			made[response.AuditAnnotations["message"]] = file
		}
	}
	for sentence, file := range made {
		if manifests++; manifests <= maxManifests {
			replayManifest(t, file, sentence)
		}
	}
	if differing > 5 {
		t.Errorf("and so are %d more", differing-5)
	}
	t.Logf("%s, in %v", counts.String(), time.Since(began).Round(time.Millisecond))
	total.Lock()
	defer total.Unlock()
	total.join(counts)
}

// answersAgain are the answers of check to all that was recorded, by their UID.
func answersAgain(t testing.TB, folder string) map[string]*admissionv1.AdmissionResponse {
	t.Helper()
	command := exec.Command(Binary(t), "check", "-f", folder, "-o", "json")
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	err := command.Run()
	if exit, ended := errors.AsType[*exec.ExitError](err); err != nil && (!ended || exit.ExitCode() != 1) {
		t.Errorf("headroom check -f RECORDINGS: %v\n%s", err, cut(problems.String()))
	}
	var checked struct {
		Results []struct {
			Response *admissionv1.AdmissionResponse
		}
	}
	if err := json.Unmarshal(out.Bytes(), &checked); err != nil {
		t.Errorf("headroom check -f RECORDINGS: %v", err)
		return nil
	}
	again := map[string]*admissionv1.AdmissionResponse{}
	for _, result := range checked.Results {
		again[string(result.Response.UID)] = result.Response
	}
	return again
}

// maxManifests of the sentences of one process are asked for once more by a manifest: each takes a run of the command.
const maxManifests = 5

// replayManifest holds the answer to a creation against what check says of the object alone, as of any manifest.
func replayManifest(t testing.TB, file, sentence string) {
	t.Helper()
	request, response, err := readRecording(file)
	if err != nil {
		t.Fatal(err)
	}
	if request.Resource.Resource == "bindings" {
		return // is none of an object that check knows
	}
	command := exec.Command(Binary(t), "check", "-f", "-", "--snapshot", file, "-o", "json", "--namespace", request.Namespace)
	command.Stdin = bytes.NewReader(request.Object.Raw)
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	_ = command.Run() // the output tells
	var checked struct {
		Results []struct{ Verdict, Action, Message string }
	}
	if err := json.Unmarshal(out.Bytes(), &checked); err != nil || len(checked.Results) != 1 {
		t.Errorf("headroom check of the object in %s: %v, %d results\n%s", file, err, len(checked.Results), problems.String())
		return
	}
	said := []string{response.AuditAnnotations["verdict"], response.AuditAnnotations["action"], sentence}
	if diff := cmp.Diff(said, []string{checked.Results[0].Verdict, checked.Results[0].Action, checked.Results[0].Message}); diff != "" {
		t.Errorf("the creation of %s %s/%s (-webhook +check of the manifest):\n%s", request.Resource.Resource, request.Namespace, request.Name, diff)
	}
}

// readRecording reads a recording's review. What follows it, all that was known, is many times as long and stays unread.
func readRecording(file string) (*admissionv1.AdmissionRequest, *admissionv1.AdmissionResponse, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	d := json.NewDecoder(f)
	for d.More() || d.InputOffset() == 0 {
		token, err := d.Token()
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file, err)
		}
		if token != "review" {
			continue
		}
		var review admissionv1.AdmissionReview
		if err := d.Decode(&review); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file, err)
		}
		if review.Request != nil && review.Response != nil {
			return review.Request, review.Response, nil
		}
		break
	}
	return nil, nil, fmt.Errorf("%s: no review", file)
}

func (r *Replayed) add(response *admissionv1.AdmissionResponse) {
	r.Answers++
	sentences := response.Warnings
	r.Warnings += len(response.Warnings)
	switch {
	case !response.Allowed:
		r.Refusals++
		sentences = []string{response.Result.Message}
	case len(sentences) == 0:
		sentences = []string{response.AuditAnnotations["message"]}
	}
	for _, sentence := range sentences {
		r.Sentences[sentence]++
	}
}

func (r *Replayed) join(o Replayed) {
	r.Answers, r.Refusals, r.Warnings = r.Answers+o.Answers, r.Refusals+o.Refusals, r.Warnings+o.Warnings
	for sentence, n := range o.Sentences {
		r.Sentences[sentence] += n
	}
}

func cut(s string) string {
	const limit = 2000
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}
