"""The manifests of the design page, as people type them; every contract test starts from one of these."""

from __future__ import annotations

from typing import Any

import yaml

Manifest = dict[str, Any]

TRAININGJOB: Manifest = yaml.safe_load(
    """
apiVersion: trainyard.dev/v1alpha1
kind: TrainingJob
metadata: {name: adult}
spec:
  model:
    tabnet: {nD: 16, nA: 16, nSteps: 4, gamma: 1.5}
  data:
    source: {uri: s3://datasets/adult.parquet, sha256: SHA256, credentialsSecret: s3-reader}
    task: Classification
    target: income
    columns: {drop: [fnlwgt]}
    split: {validation: 0.1, test: 0.1, by: Hash, seed: 7}
  training:
    epochs: 50
    batchSize: 1024
    optimizer: {name: adam, learningRate: 0.02}
    earlyStopping: {metric: val_roc_auc, patience: 10}
    seed: 7
  compute:
    nodes: 1
    processesPerNode: 1
    resources: {limits: {nvidia.com/gpu: 1, memory: 8Gi}}
    podTemplate: {}
  runPolicy: {suspend: false, backoffLimit: 3, activeDeadlineSeconds: 7200, ttlSecondsAfterFinished: 86400,
              queueName: team-a, onOOM: {memoryFactor: 1.5, maxMemory: 32Gi}}
  tracking: {experiment: adult, tags: {team: risk}}
  promotion:
    model: adult-income
    mode: Automatic
    gate: {metric: test_roc_auc, goal: Maximize, threshold: 0.90, minImprovement: 0.002}
    serving: {replicas: 2, auth: {tokenSecret: adult-tokens}}
""".replace("SHA256", "9f2c" * 16)
)

STUDY: Manifest = yaml.safe_load("""
apiVersion: trainyard.dev/v1alpha1
kind: Study
metadata: {name: mnist}
spec:
  objectives: [{metric: val_accuracy, goal: Maximize}]
  search:
    sampler: {name: tpe, seed: 7}
    pruner: {name: median}
    parameters:
    - {path: training.optimizer.name, categorical: {strings: [adam, adadelta, rmsprop, sgd]}}
    - {path: training.optimizer.learningRate, float: {min: 0.0001, max: 0.1, log: true}}
    - {path: model.convnet.conv.length, int: {min: 1, max: 4}}
    - {path: "model.convnet.conv[0].channels", int: {min: 16, max: 64}}
    - {path: "model.convnet.conv[2].channels", int: {min: 16, max: 64},
       when: {path: model.convnet.conv.length, min: 3}}
  budget: {maxTrials: 50, parallelism: 4, maxFailedTrials: 5, timeoutSeconds: 2000, target: 0.995,
           patience: 20}
  workers: {isolation: Pool}
  template:
    spec:
      model: {convnet: {conv: [{channels: 32}], dense: [{units: 128, dropout: 0.2}]}}
      data: {source: {uri: "https://example.com/mnist/train-images-idx3-ubyte.gz", format: IDX}}
  promotion: {from: BestTrial, model: digits, mode: Automatic,
              gate: {metric: test_accuracy, goal: Maximize, threshold: 0.99}}
""")

MODELSERVER: Manifest = yaml.safe_load("""
apiVersion: trainyard.dev/v1alpha1
kind: ModelServer
metadata: {name: adult-income}
spec:
  model: adult-income
  source: {promotions: {}}
  replicas: 2
  auth: {tokenSecret: adult-tokens}
  rollout: {deadlineSeconds: 600, maxErrorRate: 0.01}
""")

DESIGNED: dict[str, Manifest] = {m["kind"]: m for m in (TRAININGJOB, STUDY, MODELSERVER)}
